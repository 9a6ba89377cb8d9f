"""The state machine of a booking: one table, and pure questions about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from holdfast.claim.model import ClaimState
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.place.policy import Policy


class Status(StrEnum):
    """Where a booking stands (spec 2.3)."""

    HELD = "HELD"
    PENDING = "PENDING"
    RESERVED = "RESERVED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    CAPACITY_VERIFIED = "CAPACITY_VERIFIED"
    ASSIGNMENT_PENDING = "ASSIGNMENT_PENDING"
    ASSIGNMENT_IN_PROGRESS = "ASSIGNMENT_IN_PROGRESS"
    ASSIGNMENT_FAILED = "ASSIGNMENT_FAILED"
    MANUAL_REVIEW = "MANUAL_REVIEW"
    CONFIRMED = "CONFIRMED"
    CHECKED_IN = "CHECKED_IN"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"
    EXPIRED = "EXPIRED"


_S = Status

TRANSITIONS: dict[Status, tuple[Status, ...]] = {
    _S.HELD: (
        _S.PENDING,
        _S.RESERVED,
        _S.PENDING_APPROVAL,
        _S.CONFIRMED,
        _S.CANCELLED,
        _S.EXPIRED,
    ),
    _S.PENDING: (
        _S.RESERVED,
        _S.PENDING_APPROVAL,
        _S.CAPACITY_VERIFIED,
        _S.CONFIRMED,
        _S.CANCELLED,
        _S.EXPIRED,
    ),
    _S.RESERVED: (_S.CONFIRMED, _S.CHECKED_IN, _S.CANCELLED, _S.NO_SHOW),
    _S.PENDING_APPROVAL: (_S.CONFIRMED, _S.CANCELLED, _S.EXPIRED),
    _S.CAPACITY_VERIFIED: (_S.ASSIGNMENT_PENDING, _S.MANUAL_REVIEW, _S.CANCELLED, _S.EXPIRED),
    _S.ASSIGNMENT_PENDING: (_S.ASSIGNMENT_IN_PROGRESS, _S.MANUAL_REVIEW, _S.CANCELLED, _S.EXPIRED),
    _S.ASSIGNMENT_IN_PROGRESS: (
        _S.CONFIRMED,
        _S.ASSIGNMENT_FAILED,
        _S.ASSIGNMENT_PENDING,
        _S.MANUAL_REVIEW,
        _S.CANCELLED,
    ),
    _S.ASSIGNMENT_FAILED: (_S.ASSIGNMENT_PENDING, _S.MANUAL_REVIEW, _S.CANCELLED, _S.EXPIRED),
    _S.MANUAL_REVIEW: (_S.ASSIGNMENT_PENDING, _S.CONFIRMED, _S.CANCELLED, _S.EXPIRED),
    _S.CONFIRMED: (_S.CHECKED_IN, _S.CANCELLED, _S.COMPLETED, _S.NO_SHOW, _S.MANUAL_REVIEW),
    _S.CHECKED_IN: (_S.COMPLETED, _S.CANCELLED),
    _S.COMPLETED: (),
    _S.CANCELLED: (),
    _S.NO_SHOW: (),
    _S.EXPIRED: (),
}

TERMINAL = frozenset(status for status, onward in TRANSITIONS.items() if not onward)
# What a floor plan shows for the claims of a booking that occupies.
CLAIM_STATES: dict[Status, ClaimState] = {
    _S.HELD: "held",
    _S.PENDING: "held",
    _S.ASSIGNMENT_IN_PROGRESS: "held",
    _S.PENDING_APPROVAL: "pending_approval",
    _S.RESERVED: "confirmed",
    _S.CONFIRMED: "confirmed",
    _S.CHECKED_IN: "confirmed",
}
OCCUPYING = frozenset(CLAIM_STATES)
# What a new booking can be: the lifecycle's start, a hold, or a party that was seated at once.
INITIAL = frozenset({_S.HELD, _S.PENDING, _S.RESERVED, _S.PENDING_APPROVAL, _S.CHECKED_IN})
# They end by themselves at `expires_at`.
EXPIRING = frozenset({_S.HELD, _S.PENDING, _S.PENDING_APPROVAL})

# What a block over them can push off their place (spec 3, M7), beside holds, which it cancels. The table above
# stays what people and the pipeline can ask for: these steps are nobody's to ask for alone.
DISPLACEABLE = OCCUPYING - {_S.HELD, _S.CHECKED_IN}


class InvalidTransition(HoldfastError):
    """A booking can't take this step from where it stands.

    Fields: `from`, `to`, and `allowed`, the statuses it can go to.
    """

    kind = Kind.INVALID
    code = "INVALID_TRANSITION"


def step(from_status: Status, to_status: Status) -> Status:
    """`to_status`, if the table allows the step. Raises InvalidTransition."""
    allowed = TRANSITIONS[from_status]
    if to_status in allowed:
        return to_status
    then = f"from there it can go to {', '.join(allowed)}" if allowed else "that status is final"
    raise InvalidTransition(
        f"A booking that is {from_status} can't become {to_status}: {then}.",
        **{"from": from_status, "to": to_status, "allowed": list(allowed)},
    )


def displaced(status: Status) -> Status:
    """Where a booking goes whose place is taken away from it: to people who find it another, or, as a hold, to
    its end. Raises InvalidTransition for one that can't be moved away, such as of a party that sits there."""
    if status is Status.HELD:
        return Status.CANCELLED
    if status in DISPLACEABLE:
        return Status.MANUAL_REVIEW
    raise InvalidTransition(
        f"A booking that is {status} can't be displaced: only one that occupies and has not begun can.",
        **{"from": status, "to": Status.MANUAL_REVIEW, "allowed": list(TRANSITIONS[status])},
    )


def initial_status(policy: Policy, *, hold: bool, seated: bool = False) -> Status:
    """Where a new booking starts under the venue's policy.

    An `assigned` venue binds the best fit at once for as long as the assignment pipeline is off,
    and so starts like an `instant` one (docs/decisions/0006).
    """
    if seated:
        return Status.CHECKED_IN
    if hold:
        return Status.HELD
    return {"deposit": Status.PENDING, "approval": Status.PENDING_APPROVAL}.get(
        policy.lifecycle, Status.RESERVED
    )


def expires_at(status: Status, *, policy: Policy, now: datetime, start: datetime) -> datetime | None:
    """When a booking that enters `status` now will expire; None when it doesn't.

    An undecided request ends at its start at the latest: nobody can use it after.
    """
    match status:
        case Status.HELD:
            return now + timedelta(seconds=policy.hold_ttl_seconds)
        case Status.PENDING:
            return now + timedelta(minutes=policy.payment_deadline_minutes)
        case Status.PENDING_APPROVAL:
            return max(min(now + timedelta(hours=policy.approval_ttl_hours), start), now)
        case _:
            return None


def due_at(
    status: Status, *, policy: Policy, start: datetime, end: datetime, expires: datetime | None
) -> datetime | None:
    """When a tick must look at the booking next; None when it can be left alone."""
    if status in EXPIRING:
        return expires
    if status in (Status.RESERVED, Status.CONFIRMED) and policy.auto_no_show:
        return start + timedelta(minutes=policy.no_show_grace_minutes)
    if status is Status.CHECKED_IN and policy.auto_complete:
        return end
    return None
