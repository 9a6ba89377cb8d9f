"""What can stand in a booking's way. Each message says what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.kernel.errors import HoldfastError, Kind

if TYPE_CHECKING:
    from holdfast.booking.deciding.wanted import Prepared


class OutsideOpeningHours(HoldfastError):
    """The venue is not open for all of that time. Field `opening_hours`: the open spans of the day."""

    kind = Kind.INVALID
    code = "OUTSIDE_OPENING_HOURS"


class OffSlotStep(HoldfastError):
    """Bookings start on the venue's slot step. Fields `slot_step_minutes`, `nearest`."""

    kind = Kind.INVALID
    code = "OFF_SLOT_STEP"


class TooSoon(HoldfastError):
    """The venue needs more notice. Fields `min_notice_minutes`, `earliest_start`."""

    kind = Kind.INVALID
    code = "TOO_SOON"


class TooFarAhead(HoldfastError):
    """The venue does not take bookings that far ahead. Fields `max_advance_days`, `latest_start`."""

    kind = Kind.INVALID
    code = "TOO_FAR_AHEAD"


class PartyTooLarge(HoldfastError):
    """These resources don't seat the party. Field `seats_max`."""

    kind = Kind.INVALID
    code = "PARTY_TOO_LARGE"


class PartyTooSmall(HoldfastError):
    """These resources are for larger parties. Field `seats_min`."""

    kind = Kind.INVALID
    code = "PARTY_TOO_SMALL"


class PacingExceeded(HoldfastError):
    """Too many guests would arrive in that quarter of an hour. Fields `pacing_covers_max`, `covers_booked`."""

    kind = Kind.INVALID
    code = "PACING_EXCEEDED"


class TooManyHolds(HoldfastError):
    """This guest or address already has as many open holds as the venue allows.

    Fields `holds_max`, `retry_after_seconds`.
    """

    kind = Kind.TOO_MANY
    code = "TOO_MANY_HOLDS"


class NotAvailable(HoldfastError):
    """It is taken.

    `resource_kind`: of what was asked for; it makes the code, such as TABLE_NOT_AVAILABLE. `wanted`: what
    to suggest something instead of. Fields `conflicts`, `suggested_slots`, `can_join_waitlist`.
    """

    kind = Kind.CONFLICT
    code = type_code = "NOT_AVAILABLE"

    def __init__(
        self, resource_kind: str, detail: str, *, wanted: Prepared | None = None, **fields: object
    ) -> None:
        self.code = f"{resource_kind.upper()}_NOT_AVAILABLE"
        self.wanted = wanted
        super().__init__(detail, **fields)

    def suggesting(self, slots: list[dict[str, Any]] | None) -> NotAvailable:
        """The same, with what is free instead. None: there was no time to look."""
        self.fields["suggested_slots"] = slots or []
        if slots:
            self.detail += " Take one of the suggested slots."
        elif slots is None:
            self.detail += " There was no time to look for another: see what the day has."
        else:
            self.detail += " Nothing is free within two hours of it: take another time."
        return self
