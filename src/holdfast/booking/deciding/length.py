"""How long a booking lasts: the usual length of a party, and the lengths that may be asked for. Pure."""

from __future__ import annotations

from datetime import timedelta

from holdfast.kernel.errors import InvalidRequest
from holdfast.place.policy import Policy

DURATION_RULE = "DURATION_NOT_ALLOWED"
"""What staff name to overrule the lengths. The refusal is an INVALID_REQUEST like that of any value out of range."""


class DurationNotAllowed(InvalidRequest):
    """The venue takes no bookings of that length.

    Fields `errors`, `rule`, `usual_minutes`, `duration_minutes_min`, `duration_minutes_max`, `duration_step_minutes`,
    `guests_choose_duration`.
    """


def usual_minutes(policy: Policy, party_size: int) -> int:
    """Returns the usual length of a booking for that many guests, in minutes."""
    fitting = (each.minutes for each in policy.durations if party_size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)


def check_length(length: timedelta, policy: Policy, *, party_size: int, is_staff: bool) -> None:
    """Checks a length that was asked for. The usual length of the party is always allowed; guests of a venue where
    they don't choose get no other. Raises DurationNotAllowed."""
    usual = usual_minutes(policy, party_size)
    minutes = length / timedelta(minutes=1)
    if minutes == usual:
        return
    if problem := _problem(minutes, policy, usual=usual, is_staff=is_staff):
        minutes = int(minutes)
        raise DurationNotAllowed(
            f"duration_minutes: {problem}",
            errors=[{"field": "duration_minutes", "value": minutes, "problem": problem}],
            rule=DURATION_RULE,
            usual_minutes=usual,
            duration_minutes_min=policy.duration_minutes_min,
            duration_minutes_max=policy.duration_minutes_max,
            duration_step_minutes=policy.duration_step_minutes,
            guests_choose_duration=policy.guests_choose_duration,
        )


def _problem(minutes: float, policy: Policy, *, usual: int, is_staff: bool) -> str | None:
    """Returns what is wrong with a length other than the usual one."""
    least, most, step = policy.duration_minutes_min, policy.duration_minutes_max, policy.duration_step_minutes
    if not policy.guests_choose_duration and not is_staff:
        return f"must be omitted or {usual}: a booking for that many guests lasts {usual} minutes here"
    if minutes < least:
        return f"must be at least {least} minutes here"
    if minutes > most:
        return f"must be at most {most} minutes here"
    if minutes % step:
        return f"must be a multiple of {step} minutes here, or the usual {usual}"
    return None
