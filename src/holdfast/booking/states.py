"""The state machine of bookings: the statuses and the table of legal steps."""

from __future__ import annotations

from enum import StrEnum

from holdfast.claim.model import ClaimState
from holdfast.kernel.errors import HoldfastError, Kind


class Status(StrEnum):
    """The status of a booking (spec 2.3)."""

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
UNDONE = (_S.CANCELLED, _S.EXPIRED)
"""A booking in these statuses counts for nobody, and gives its discount code back."""
# How a floor plan shows the claims of a booking. In any other status it occupies nothing.
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
# The statuses a new booking can have: the first of the venue's lifecycle, HELD for a hold, CHECKED_IN for a walk-in.
INITIAL = frozenset({_S.HELD, _S.PENDING, _S.RESERVED, _S.PENDING_APPROVAL, _S.CHECKED_IN})
# These expire at `expires_at`.
EXPIRING = frozenset({_S.HELD, _S.PENDING, _S.PENDING_APPROVAL})

# A block sends these to manual review (spec 3, M7), and cancels holds. Not all of these steps are in TRANSITIONS, which
# lists only what people and the pipeline may request.
DISPLACEABLE = OCCUPYING - {_S.HELD, _S.CHECKED_IN}


class InvalidTransition(HoldfastError):
    """The booking can't go from its current status to the requested one.

    Fields: `from`, `to`, and `allowed`, the statuses it can go to.
    """

    kind = Kind.INVALID
    code = "INVALID_TRANSITION"


def displaced_status(status: Status) -> Status:
    """Returns the status of a booking that loses its resources to a block: MANUAL_REVIEW, so that staff find it
    another place, or CANCELLED for a hold. Raises InvalidTransition if it can't be displaced, such as a booking whose
    party is there."""
    if status is Status.HELD:
        return Status.CANCELLED
    if status in DISPLACEABLE:
        return Status.MANUAL_REVIEW
    raise InvalidTransition(
        f"A booking that is {status} can't be displaced: "
        "only one that occupies its resources and whose party has not checked in can.",
        **{"from": status, "to": Status.MANUAL_REVIEW, "allowed": list(TRANSITIONS[status])},
    )
