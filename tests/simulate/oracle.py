"""What must come of each request, worked out the long way: a list of bookings, and every rule in plain words.

It shares no deciding code with Holdfast: venues come from their documents (`house.py`), statuses from the
table of the specification, and each question looks at every booking. It leaves one thing open and
is told of it (`seat`): which free unit of a resource a booking got. When there are several reasons to
refuse, any of them will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.booking.states import Status as S

from .book import Book, due, expiry, quarter, taken
from .house import Choice, House
from .words import ENDS, FIRST, OCCUPYING, PIPELINE, STEPS, Ask, Booking, Edit, Who


class Oracle(Book):
    """All bookings of a run, and what may be done with them."""

    def __init__(self, houses: list[House]) -> None:
        super().__init__()
        self.houses = houses

    # ---- creating

    def refusals(self, ask: Ask, now: datetime) -> set[str]:
        """Why the booking can't be had; empty: it must be."""
        house = self.houses[ask.venue]
        start, end = self.span(ask)
        named, choices, codes = self._choices(house, ask.size, ask.places, ask.kinds)
        codes |= self._wrong_time(house, named, start, end, now, is_slot=ask.slot)
        if ask.hold and ask.who.kind == "guest":
            codes |= self._too_many_holds(house, ask, now)
        codes |= self._too_busy(house, ask.venue, start, ask.size, now)
        if choices and self.free(house, choices, bool(named), start, end, now) is None:
            codes |= taken(choices)
        return codes

    def create(self, id: UUID, ask: Ask, now: datetime) -> Booking:
        """The booking, which could be had."""
        house = self.houses[ask.venue]
        start, end = self.span(ask)
        status = S.HELD if ask.hold else FIRST[house.rules["lifecycle"]]
        booking = Booking(
            id, ask.venue, status, start, end, ask.size, ask.guest, ask.ip if ask.hold else None, made_at=now
        )
        named, choices, _ = self._choices(house, ask.size, ask.places, ask.kinds)
        choice = self.free(house, choices, bool(named), start, end, now)
        assert choice is not None
        booking.take(choice)
        booking.expires_at = expiry(house, booking, now)
        booking.due_at = due(house, booking)
        self.bookings[id] = booking
        return booking

    def span(self, ask: Ask) -> tuple[datetime, datetime]:
        house = self.houses[ask.venue]
        if ask.slot:
            return house.slot_on(house.wall(ask.start).date())
        minutes = house.rules["default_duration_minutes"] if ask.minutes is None else ask.minutes
        return ask.start, ask.start + timedelta(minutes=minutes)

    # ---- steps

    def refusals_to_move(self, booking: Booking, to: S, version: int, who: Who, now: datetime) -> set[str]:
        """Why the booking can't take that step."""
        codes = self._untouchable(booking, version, who, now)
        if "NOT_FOUND" in codes:
            return codes
        house = self.houses[booking.venue]
        if self.is_done(booking, to, version):
            first = FIRST[house.rules["lifecycle"]]
            may = who.kind != "guest" or to is S.CANCELLED or booking.steps[version] == (S.HELD, first)
            may = may and (to not in PIPELINE or who.kind == "system")
            return set() if may else {"FORBIDDEN"}
        if to not in STEPS.get(booking.status, ()):
            codes.add("INVALID_TRANSITION")
        if to in PIPELINE and who.kind != "system":
            codes.add("FORBIDDEN")
        first = FIRST[house.rules["lifecycle"]]
        if who.kind == "guest" and to is not S.CANCELLED and (booking.status, to) != (S.HELD, first):
            codes.add("FORBIDDEN")
        if to in OCCUPYING and booking.status not in OCCUPYING:
            # Its own places again, as they are now.
            choice = self._now(house, booking.choice)
            codes |= self._unfit(house, choice, booking.size)
            if self.free(house, [choice], True, booking.start, booking.end, now, but=booking) is None:
                codes |= taken([choice])
        return codes

    def is_done(self, booking: Booking, to: S, version: int) -> bool:
        """Whether it took that step at that version already, and is still there."""
        _, there = booking.steps.get(version, (None, None))
        return booking.status is to and there is to

    def move(self, booking: Booking, to: S, now: datetime, *, version: int) -> None:
        """The booking one step on, unless that was done already."""
        if self.is_done(booking, to, version):
            return
        booking.steps[booking.version] = (booking.status, to)
        house = self.houses[booking.venue]
        occupied = booking.status in OCCUPYING
        was_there = booking.status is S.CHECKED_IN or to is S.COMPLETED
        booking.status, booking.version = to, booking.version + 1
        if to is not S.HELD:
            booking.ip = None
        if to is S.CHECKED_IN:
            booking.came_at = now
        booking.expires_at = expiry(house, booking, now)
        booking.due_at = due(house, booking)
        if to not in OCCUPYING:
            booking.claims = self.cleaning(booking, now) if was_there else []
        elif not occupied:
            booking.take(self._now(house, booking.choice))

    # ---- changes

    def refusals_to_change(
        self, booking: Booking, edit: Edit, version: int, who: Who, now: datetime
    ) -> set[str]:
        """Why the booking can't be changed so."""
        codes = self._untouchable(booking, version, who, now)
        if booking.status in ENDS:
            codes.add("INVALID_TRANSITION")
        if "NOT_FOUND" in codes or booking.status in ENDS or not edit.is_about_the_place:
            return codes
        house = self.houses[booking.venue]
        start, end, size = self._edited(booking, edit)
        stays = (start, end) == (booking.start, booking.end)
        named, choices, unfit = self._choices(house, size, *self._where(booking, edit))
        codes |= unfit
        if not stays or {each.id for each in named} != {each.id for each in booking.choice}:
            codes |= self._wrong_time(house, named, start, end, now, same_start=start == booking.start)
        if start != booking.start or size > booking.size:
            codes |= self._too_busy(house, booking.venue, start, size, now, but=booking)
        if choices and self.open(house, choices, bool(named), start, end) == []:
            codes |= taken(choices)
        free = self.free(house, choices, bool(named), start, end, now, but=booking)
        if choices and booking.status in OCCUPYING and free is None:
            codes |= taken(choices)
        return codes

    def change(self, booking: Booking, edit: Edit, now: datetime) -> None:
        """The booking as changed."""
        booking.version += 1
        if not edit.is_about_the_place:
            return
        house = self.houses[booking.venue]
        start, end, size = self._edited(booking, edit)
        named, choices, _ = self._choices(house, size, *self._where(booking, edit))
        if booking.status in OCCUPYING:
            choice = self.free(house, choices, bool(named), start, end, now, but=booking)
        else:
            choice = self.open(house, choices, bool(named), start, end)[0]
        assert choice is not None
        booking.start, booking.end, booking.size = start, end, size
        booking.take(choice)
        if booking.status not in OCCUPYING:
            booking.claims = []
        if booking.status is S.PENDING_APPROVAL and booking.expires_at is not None:
            # Its time counts from when it was made, or from when it became a request, whichever is more.
            time_is_up = booking.made_at + timedelta(hours=house.rules["approval_ttl_hours"])
            booking.expires_at = max(min(max(booking.expires_at, time_is_up), start), now)
        booking.due_at = due(house, booking)

    def _edited(self, booking: Booking, edit: Edit) -> tuple[datetime, datetime, int]:
        start = booking.start if edit.start is None else edit.start
        length = booking.end - booking.start if edit.minutes is None else timedelta(minutes=edit.minutes)
        return start, start + length, booking.size if edit.size is None else edit.size

    def _where(self, booking: Booking, edit: Edit) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if edit.places is not None:
            return edit.places, ()
        if edit.kinds is not None:
            return (), edit.kinds
        return tuple(each.slug for each in booking.choice), ()

    # ---- the rules

    def _untouchable(self, booking: Booking, version: int, who: Who, now: datetime) -> set[str]:
        own_tenant = who.tenant_id in (None, self.houses[booking.venue].tenant_id)
        if not own_tenant or (who.kind == "guest" and who.id != booking.guest):
            return {"NOT_FOUND"}
        codes = {"VERSION_CONFLICT"} if version != booking.version else set[str]()
        return codes | ({"INVALID_TRANSITION"} if booking.is_past_its_time(now) else set())

    def _now(self, house: House, choice: Choice) -> Choice:
        return tuple(house.places[each.slug] for each in choice)

    def _choices(
        self, house: House, size: int, places: Sequence[str], kinds: Sequence[str]
    ) -> tuple[Choice, list[Choice], set[str]]:
        """What is named; the choices that seat the party; why there are none."""
        if not places:
            return (), *house.choices(size, kinds)
        named = tuple(house.places[each] for each in places)
        codes = self._unfit(house, named, size)
        return named, [] if codes else [named], codes

    def _unfit(self, house: House, choice: Choice, size: int) -> set[str]:
        if not all(each.active for each in choice):
            return {"INVALID_REQUEST"}
        least, most = house.seats(choice)
        return {"PARTY_TOO_LARGE"} if size > most else {"PARTY_TOO_SMALL"} if size < least else set()

    def _wrong_time(
        self,
        house: House,
        named: Choice,
        start: datetime,
        end: datetime,
        now: datetime,
        *,
        is_slot: bool = False,
        same_start: bool = False,
    ) -> set[str]:
        codes = set[str]()
        if not is_slot and end - start > house.minutes("duration_minutes_max"):
            codes.add("INVALID_REQUEST")
        if not all(house.is_open(each, start, end) for each in named or (None,)):
            codes.add("OUTSIDE_OPENING_HOURS")
        if same_start:
            return codes
        if start < now + house.minutes("min_notice_minutes"):
            codes.add("TOO_SOON")
        if start > now + timedelta(days=house.rules["max_advance_days"]):
            codes.add("TOO_FAR_AHEAD")
        if not (is_slot or house.is_slot(start, end) or house.on_step(named[0] if named else None, start)):
            codes.add("OFF_SLOT_STEP")
        return codes

    def _too_many_holds(self, house: House, ask: Ask, now: datetime) -> set[str]:
        held = [
            b
            for b in self.standing(now)
            if b.status is S.HELD and self.houses[b.venue].tenant_id == house.tenant_id
        ]
        of_guest = sum(ask.guest is not None and each.guest == ask.guest for each in held)
        of_address = sum(ask.ip is not None and each.ip == ask.ip for each in held)
        rules = house.rules
        over = of_guest >= rules["holds_per_guest_max"] or of_address >= rules["holds_per_ip_max"]
        return {"TOO_MANY_HOLDS"} if over else set()

    def _too_busy(
        self,
        house: House,
        venue: int,
        start: datetime,
        size: int,
        now: datetime,
        *,
        but: Booking | None = None,
    ) -> set[str]:
        most = house.rules["pacing_covers_max"]
        arriving = sum(
            each.size
            for each in self.standing(now)
            if each is not but and each.venue == venue and quarter(each.start) == quarter(start)
        )
        return {"PACING_EXCEEDED"} if most is not None and arriving + size > most else set()
