"""The list of bookings: who stands in whose way, and what time does to each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.booking.states import Status as S

from .house import Choice, House, Place
from .words import EXPIRING, OCCUPYING, STEPS, Booking, Claim


class Book:
    """All bookings of a run, in the order in which they were made."""

    def __init__(self) -> None:
        self.bookings: dict[UUID, Booking] = {}

    def due(self, statuses: set[S], now: datetime) -> list[Booking]:
        """Bookings in one of these statuses whose time has come."""
        every = self.bookings.values()
        return [
            each
            for each in every
            if each.status in statuses and each.due_at is not None and each.due_at <= now
        ]

    def end(self, booking: Booking, to: S, now: datetime) -> None:
        """Time did it. A visit ended when it was to, or when the party came if that was later; what is left of its
        claims from then, until somebody else has the unit, is for cleaning."""
        assert to in STEPS[booking.status]
        booking.steps[booking.version] = (booking.status, to)
        booking.status, booking.version = to, booking.version + 1
        left_at = max(booking.end, booking.came_at or booking.end)
        cleaned = [(claim, left_at + (claim.end - booking.end)) for claim in booking.claims]
        left = [
            replace(claim, start=left_at, end=until)
            for claim, end in cleaned
            if end > max(left_at, now)
            and (until := self._free_until(claim.place, left_at, end, claim.unit, booking, now)) > left_at
        ]
        booking.claims = left if to is S.COMPLETED else []
        booking.expires_at = booking.due_at = booking.ip = None
        for claim in booking.claims:
            self._make_room(claim, booking, now)

    # ---- units

    def seat(self, booking: Booking, units: Mapping[UUID, int], now: datetime) -> None:
        """The units that the booking got, which must have been free. Holds past their time make room."""
        assert set(units) == {each.place.id for each in booking.claims}, "claims the wrong resources"
        for claim in booking.claims:
            claim.unit = units[claim.place.id]
            assert 1 <= claim.unit <= claim.place.units, f"there is no unit {claim.unit}"
            for other in self._make_room(claim, booking, now):
                raise AssertionError(f"double booking with {other.id}")

    def _make_room(self, claim: Claim, of: Booking, now: datetime) -> list[Booking]:
        """Ends holds past their time that the claim meets; returns the others that it meets."""
        met = [
            other
            for other, _ in self._in_the_way(claim.place, claim.start, claim.end, unit=claim.unit, but=of)
        ]
        for other in met:
            if other.is_past_its_time(now):
                self.end(other, S.EXPIRED, now)
        return [other for other in met if other.status is not S.EXPIRED]

    def adopt(self, units: Mapping[tuple[UUID, UUID, datetime, datetime], int], now: datetime) -> None:
        """Claims that have moved to other units for the sake of others, which is nobody's business, are there now."""
        moved: list[tuple[Booking, Claim]] = []
        for booking in self.bookings.values():
            for claim in booking.claims:
                unit = units.get((booking.id, claim.place.id, claim.start, claim.end), claim.unit)
                if unit != claim.unit:
                    claim.unit = unit
                    moved.append((booking, claim))
        for booking, claim in moved:
            self._make_room(claim, booking, now)

    def cleaning(self, booking: Booking, now: datetime) -> list[Claim]:
        """What stays of the claims when the party leaves now: the buffer that was agreed, on the unit where
        nobody else comes for longest, and until somebody does."""
        found = []
        for claim in booking.claims:
            end = now + claim.place.after
            units = range(1, claim.place.units + 1)
            until = max(self._free_until(claim.place, now, end, unit, booking, now) for unit in units)
            if until > now:
                found.append(Claim(claim.place, now, until))
        return found

    def archive(self, before: datetime) -> int:
        """Forgets the claims that ended before then; returns how many."""
        over = 0
        for booking in self.bookings.values():
            stay = [claim for claim in booking.claims if claim.end >= before]
            over, booking.claims = over + len(booking.claims) - len(stay), stay
        return over

    # ---- room

    def standing(self, now: datetime) -> Iterator[Booking]:
        """The bookings that occupy anything now."""
        for each in self.bookings.values():
            if each.status in OCCUPYING and not each.is_past_its_time(now):
                yield each

    def open(
        self, house: House, choices: list[Choice], is_named: bool, start: datetime, end: datetime
    ) -> list[Choice]:
        """Those of which every place is open; for what is named that is a question of its own."""
        return [each for each in choices if is_named or house.is_all_open(each, start, end)]

    def free(
        self,
        house: House,
        choices: list[Choice],
        is_named: bool,
        start: datetime,
        end: datetime,
        now: datetime,
        *,
        but: Booking | None = None,
    ) -> Choice | None:
        """The best choice that is open and has a unit of each place left at every instant."""
        for choice in self.open(house, choices, is_named, start, end):
            if all(self._has_room(place, start, end, now, but) for place in choice):
                return choice
        return None

    def _has_room(
        self, place: Place, start: datetime, end: datetime, now: datetime, but: Booking | None
    ) -> bool:
        start, end = place.claimed(start, end)
        claims = [
            claim
            for booking, claim in self._in_the_way(place, start, end, but=but)
            if not booking.is_past_its_time(now)
        ]
        instants = {max(start, claim.start) for claim in claims}
        return all(sum(c.start <= at < c.end for c in claims) < place.units for at in instants)

    def _free_until(
        self, place: Place, start: datetime, end: datetime, unit: int, but: Booking, now: datetime
    ) -> datetime:
        claims = self._in_the_way(place, start, end, unit=unit, but=but)
        starts = [claim.start for other, claim in claims if not other.is_past_its_time(now)]
        return min(starts, default=end)

    def _in_the_way(
        self,
        place: Place,
        start: datetime,
        end: datetime,
        *,
        unit: int | None = None,
        but: Booking | None = None,
    ) -> Iterator[tuple[Booking, Claim]]:
        for booking in self.bookings.values():
            for claim in booking.claims:
                if booking is not but and unit in (None, claim.unit) and claim.meets(place, start, end):
                    yield booking, claim


def expiry(house: House, booking: Booking, now: datetime) -> datetime | None:
    if booking.status is S.HELD:
        return now + timedelta(seconds=house.rules["hold_ttl_seconds"])
    if booking.status is S.PENDING:
        return now + house.minutes("payment_deadline_minutes")
    if booking.status is S.PENDING_APPROVAL:
        decided_by = min(now + timedelta(hours=house.rules["approval_ttl_hours"]), booking.start)
        return max(decided_by, now)
    return None


def due(house: House, booking: Booking) -> datetime | None:
    if booking.status in EXPIRING:
        return booking.expires_at
    if booking.status in (S.RESERVED, S.CONFIRMED) and house.rules["auto_no_show"]:
        return booking.start + house.minutes("no_show_grace_minutes")
    if booking.status is S.CHECKED_IN and house.rules["auto_complete"]:
        return booking.end
    return None


def taken(choices: list[Choice]) -> set[str]:
    """What a refusal says when none of these is free."""
    return {f"{place.kind.upper()}_NOT_AVAILABLE" for choice in choices for place in choice}


def quarter(instant: datetime) -> datetime:
    """The quarter of an hour that an arrival counts into."""
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
