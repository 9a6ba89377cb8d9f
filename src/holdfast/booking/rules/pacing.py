"""Refuses who would be too many: more guests or parties than may arrive in a part of the day. Pure."""

from __future__ import annotations

from datetime import datetime

from holdfast.booking.rules.suggestible import Suggestible
from holdfast.kernel.errors import Kind
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.limits import Arrivals, Limit, limits
from holdfast.place.venue import Venue


class PacingExceeded(Suggestible):
    """Too many would arrive in that part of the day.

    Fields `covers_booked`, and of the quarter of an hour `pacing_covers_max`; of a rule `rule_exceeded` (the rule),
    `covers_max`, `parties_max`, `parties_booked`.
    """

    kind = Kind.INVALID
    code = "PACING_EXCEEDED"


def check_limit(venue: Venue, limit: Limit, *, party_size: int, arrivals: Arrivals) -> None:
    """Raises PacingExceeded if the party would exceed the bound. `arrivals`: those already booked."""
    covers, parties = arrivals.more(party_size)
    too_many = limit.covers_max is not None and covers > limit.covers_max
    if not too_many and (limit.parties_max is None or parties <= limit.parties_max):
        return
    begin, end = (each.astimezone(venue.tz).isoformat(timespec="minutes") for each in limit.window.span)
    if limit.rule is None:
        raise PacingExceeded(
            f"{arrivals.covers} guests already arrive in the quarter of an hour from "
            f"{begin}; with {party_size} more it would be over {limit.covers_max}.",
            pacing_covers_max=limit.covers_max,
            covers_booked=arrivals.covers,
        )
    when = f"in the slot {limit.window.slot_id}" if limit.rule.slots else f"from {begin} to {end}"
    by = f" booked by {' or '.join(limit.window.sources)}" if limit.window.sources else ""
    if too_many:
        said = f"{arrivals.covers} guests{by} already arrive {when}; with {party_size} more it would be over "
        said += f"{limit.covers_max}."
    else:
        said = f"{arrivals.parties} parties{by} already arrive {when}, which is all that may: {limit.parties_max}."
    raise PacingExceeded(
        said,
        rule_exceeded=limit.rule.model_dump(mode="json", exclude_none=True),
        covers_max=limit.covers_max,
        parties_max=limit.parties_max,
        covers_booked=arrivals.covers,
        parties_booked=arrivals.parties,
    )


def check_arrived(
    venue: Venue, arrived: Arrived, start: datetime, *, slot_id: str | None, source: str, party_size: int
) -> None:
    """Raises PacingExceeded if the party would exceed a bound that applies to it."""
    for limit in limits(venue, start, slot_id, source):
        check_limit(venue, limit, party_size=party_size, arrivals=arrived.count(limit.window))
