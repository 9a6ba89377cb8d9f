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
from .words import ENDS, FIRST, OCCUPYING, PIPELINE, STEPS, Ask, Booking, Edit, Edited, Who, is_same


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
        choices, unfit = self._choices(ask)
        codes = unfit | house.wrong_time(choices, start, end, now, is_slot=ask.slot)
        if ask.minutes is not None and not ask.slot:
            codes |= house.wrong_length(end - start)
        if ask.hold and ask.who.kind == "guest":
            codes |= self._too_many_holds(house, ask, now)
        codes |= self._too_busy(house, ask.venue, start, ask.size, now)
        if choices and self.free(house, choices, bool(ask.places), start, end, now) is None:
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
        booking.named, booking.kinds = bool(ask.places), ask.kinds
        booking.length_asked, booking.in_slot = ask.minutes is not None and not ask.slot, ask.slot
        choice = self.free(house, self._choices(ask)[0], booking.named, start, end, now)
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
            codes |= house.unfit(choice, booking.size)
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
        if "NOT_FOUND" in codes or booking.status in ENDS or self._says_nothing_new(booking, edit):
            return codes
        house, after = self.houses[booking.venue], self._edited(booking, edit)
        start, end, choices = after.start, after.end, after.choices
        codes |= after.unfit
        if edit.minutes is not None and end - start != booking.end - booking.start:
            codes |= house.wrong_length(end - start)
        if quarter(start) != quarter(booking.start) or after.size > booking.size:
            codes |= self._too_busy(house, booking.venue, start, after.size, now, but=booking)
        if after.leaves(booking):
            return codes
        if not after.is_at_the_time_of(booking) or self._seeks_a_place(booking, edit):
            same_start = start == booking.start
            codes |= house.wrong_time(choices, start, end, now, same_start=same_start)
        if choices and self._place(booking, after, now) is None:
            codes |= taken(choices)
        return codes

    def change(self, booking: Booking, edit: Edit, now: datetime) -> None:
        """The booking as changed. What says only what is so already changes nothing."""
        booking.version += 1
        if self._says_nothing_new(booking, edit):
            return
        house, after = self.houses[booking.venue], self._edited(booking, edit)
        stays, choice = after.leaves(booking), self._place(booking, after, now)
        booking.start, booking.end, booking.size = after.start, after.end, after.size
        booking.named, booking.kinds = after.named, after.kinds
        booking.length_asked, booking.in_slot = after.length_asked, after.in_slot
        if stays:
            return  # with the buffers and the deadlines that were agreed
        assert choice is not None
        booking.take(choice)
        if booking.status not in OCCUPYING:
            booking.claims = []
        if booking.status is S.PENDING_APPROVAL and booking.expires_at is not None:
            # Its time counts from when it was made, or from when it became a request, whichever is more.
            time_is_up = booking.made_at + timedelta(hours=house.rules["approval_ttl_hours"])
            booking.expires_at = max(min(max(booking.expires_at, time_is_up), booking.start), now)
        booking.due_at = due(house, booking)

    def _place(self, booking: Booking, after: Edited, now: datetime) -> Choice | None:
        """Where the booking goes; one that occupies nothing takes the best place, whoever is there."""
        house, named = self.houses[booking.venue], after.named
        if booking.status in OCCUPYING:
            return self.free(house, after.choices, named, after.start, after.end, now, but=booking)
        return next(iter(self.open(house, after.choices, named, after.start, after.end)), None)

    def _says_nothing_new(self, booking: Booking, edit: Edit) -> bool:
        after = self._edited(booking, edit)
        named = edit.places is None or (
            booking.named and is_same(booking.choice, self._of(booking, edit.places))
        )
        is_same_party = after.is_at_the_time_of(booking) and after.size == booking.size
        return is_same_party and named and not self._has_other_wishes(booking, edit)

    def _has_other_wishes(self, booking: Booking, edit: Edit) -> bool:
        """Whether the house is to choose by other wishes than it did, or where somebody named the place before."""
        return edit.kinds is not None and (booking.named or edit.kinds != booking.kinds)

    def _seeks_a_place(self, booking: Booking, edit: Edit) -> bool:
        """Whether it is to be somewhere that was not agreed, which must be open then."""
        if edit.places is not None:
            return not is_same(booking.choice, self._of(booking, edit.places))
        return self._has_other_wishes(booking, edit)

    def _of(self, booking: Booking, places: Sequence[str]) -> Choice:
        return tuple(self.houses[booking.venue].places[each] for each in places)

    def _edited(self, booking: Booking, edit: Edit) -> Edited:
        house, in_slot, length_asked = self.houses[booking.venue], booking.in_slot, booking.length_asked
        start = booking.start if edit.start is None else edit.start
        size = booking.size if edit.size is None else edit.size
        length = booking.end - booking.start
        if edit.minutes is not None:
            length, length_asked = timedelta(minutes=edit.minutes), True
        elif size != booking.size and not length_asked and not in_slot:
            length = house.minutes("default_duration_minutes")
        in_slot = in_slot and (start, start + length) == (booking.start, booking.end)
        length_asked = length_asked and not in_slot
        named, kinds, (choices, unfit) = self._where(booking, edit, size)
        return Edited(start, start + length, size, named, kinds, length_asked, in_slot, choices, unfit)

    def _where(
        self, booking: Booking, edit: Edit, size: int
    ) -> tuple[bool, tuple[str, ...], tuple[list[Choice], set[str]]]:
        """Whether its places are named, the kinds of places, and the choices. What is named is had or refused."""
        house, own = self.houses[booking.venue], tuple(each.slug for each in booking.choice)
        if edit.places is not None:
            return True, booking.kinds, house.named(edit.places, size)
        if edit.kinds is not None and self._has_other_wishes(booking, edit):
            return False, edit.kinds, house.choices(size, edit.kinds)
        if booking.named:
            return True, booking.kinds, house.named(own, size)
        return False, booking.kinds, house.nearby(own, size, booking.kinds)

    # ---- the rules

    def _untouchable(self, booking: Booking, version: int, who: Who, now: datetime) -> set[str]:
        own_tenant = who.tenant_id in (None, self.houses[booking.venue].tenant_id)
        if not own_tenant or (who.kind == "guest" and who.id != booking.guest):
            return {"NOT_FOUND"}
        codes = {"VERSION_CONFLICT"} if version != booking.version else set[str]()
        return codes | ({"INVALID_TRANSITION"} if booking.is_past_its_time(now) else set())

    def _now(self, house: House, choice: Choice) -> Choice:
        return tuple(house.places[each.slug] for each in choice)

    def _choices(self, ask: Ask) -> tuple[list[Choice], set[str]]:
        """The choices for the party; why there are none."""
        house = self.houses[ask.venue]
        return house.named(ask.places, ask.size) if ask.places else house.choices(ask.size, ask.kinds)

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
