"""One run: tenants of its own, the oracle beside the database, and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from holdfast.booking import due
from holdfast.booking.states import Status as S

from .answers import Answers, Key
from .documents import CELLAR, CLUB, OSTERIA, REWRITES
from .house import House
from .oracle import Oracle
from .words import EXPIRING, Answer, Ask, Booking, Cancelling, Changing, Who
from .world import State, World

# A Friday. On the Sunday, clocks in Stockholm go forward.
BEGINNING = datetime(2031, 3, 28, 8, 0, tzinfo=UTC)
DONE = "DONE"
TICKS: dict[str, tuple[Callable[..., Any], set[S], S]] = {
    "expire": (due.expire, EXPIRING, S.EXPIRED),
    "no_show": (due.no_show, {S.RESERVED, S.CONFIRMED}, S.NO_SHOW),
    "complete": (due.complete, {S.CHECKED_IN}, S.COMPLETED),
}


class Run:
    """Does each thing for real, asks the oracle what must come of it, and compares."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = BEGINNING
        first, second = world.open_tenant(self.now), world.open_tenant(self.now)
        self.slugs = [first[1], first[1], second[1]]
        self.tenants = [first[0], second[0]]
        documents = (OSTERIA, CELLAR, CLUB)
        self.documents = documents
        self.oracle = Oracle(
            [
                world.open_house(doc, tenant=slug, now=self.now)
                for doc, slug in zip(documents, self.slugs, strict=True)
            ]
        )
        self.answers = Answers()
        self.asked: list[tuple[Key, Ask | Changing | Cancelling]] = []

    # ---- what is done

    def create(self, asks: Sequence[tuple[Ask, str | None]]) -> list[Answer]:
        """All of them as one set; it must be as if each were decided on after the one before."""
        asked = [
            (ask, self.house(ask.venue), self._key("create", ask.venue, text, ask)) for ask, text in asks
        ]
        answers = self.world.create(asked, self.now)
        state = self._look()
        for (ask, house, key), answer in zip(asked, answers, strict=True):
            if self._answered_before(key, ask, answer):
                continue
            if self._agreed(self.oracle.refusals(ask, self.now), answer, ask):
                booking = self.oracle.create(self._new_id(answer, ask), ask, self.now)
                self._seat(booking, state)
            self.answers.keep(key, ask, answer, self.now, hours=house.rules["idempotency_ttl_hours"])
        self._compare(state)
        return answers

    def move(self, booking: Booking, to: S, version: int, who: Who) -> None:
        answer = self.world.move(booking.id, to, version, who, self.house(booking.venue), self.now)
        state = self._look()
        if self._agreed(self.oracle.refusals_to_move(booking, to, version, who, self.now), answer, booking):
            self._apply(booking, state, lambda: self.oracle.move(booking, to, self.now, version=version))
            self._tells_of(booking, answer)
        self._compare(state)

    def cancel(self, asked: Cancelling, text: str | None) -> None:
        booking = self.oracle.bookings[asked.booking_id]
        key = self._key("cancel", booking.venue, text, asked)
        answer = self.world.cancel(asked, self.house(booking.venue), key, self.now)
        why = self.oracle.refusals_to_move(booking, S.CANCELLED, asked.version, asked.who, self.now)
        self._settle(key, asked, answer, why, lambda: self._cancelled(booking, asked))

    def _cancelled(self, booking: Booking, asked: Cancelling) -> None:
        self.oracle.move(booking, S.CANCELLED, self.now, version=asked.version)

    def change(self, asked: Changing, text: str | None) -> None:
        booking = self.oracle.bookings[asked.booking_id]
        key = self._key("update", booking.venue, text, asked)
        answer = self.world.change(asked, self.house(booking.venue), key, self.now)
        why = self.oracle.refusals_to_change(booking, asked.edit, asked.version, asked.who, self.now)
        self._settle(key, asked, answer, why, lambda: self.oracle.change(booking, asked.edit, self.now))

    def tick(self, name: str, limit: int) -> None:
        """Runs the tick in batches until nothing is left to do."""
        verb, statuses, to = TICKS[name]
        overdue = self.oracle.due(statuses, self.now)
        done = []
        while not done or done[-1]:
            done.append(self.world.tick(verb, self.tenants, self.now, limit=limit))
            assert done[-1] <= limit
            assert sum(done) <= len(overdue), f"{name} moved {sum(done)} bookings on, {len(overdue)} were due"
        assert sum(done) == len(overdue), f"{name} left {len(overdue) - sum(done)} bookings"
        for booking in overdue:
            self.oracle.end(booking, to, self.now)
        self._compare(self._look())

    def archive(self, before: datetime, limit: int) -> None:
        """Moves what ended before then out of the ledger, in batches."""
        over, done = self.oracle.archive(before), list[int]()
        while not done or done[-1]:
            done.append(self.world.archive(self.tenants, self.now, before=before, limit=limit))
        assert sum(done) == over, f"{sum(done)} claims were archived, and {over} were over"
        assert max(done) <= limit
        self._compare(self._look())

    def rewrite(self, venue: int, which: int) -> None:
        """The manager gives the venue other rules; what is booked stays as it was agreed."""
        document = self.documents[venue]
        document = document | {"policy": document["policy"] | REWRITES[which]}
        self.oracle.houses[venue] = self.world.open_house(document, tenant=self.slugs[venue], now=self.now)

    def pass_time(self, length: timedelta) -> None:
        self.now += length

    def boundaries(self) -> list[datetime]:
        """The instants to come at which time does something to a booking."""
        every = self.oracle.bookings.values()
        instants = {
            instant for each in every for instant in (each.expires_at, each.due_at, each.start, each.end)
        }
        return sorted(each for each in instants if each is not None and each > self.now)

    # ---- the same in both

    def house(self, venue: int) -> House:
        return self.oracle.houses[venue]

    def _key(
        self, operation: str, venue: int, text: str | None, asked: Ask | Changing | Cancelling
    ) -> Key | None:
        if text is None:
            return None
        key = Key(self.house(venue).tenant_id, operation, text)
        if self.answers.to(key, asked, self.now) is None and (key, asked) not in self.asked:
            self.asked.append((key, asked))
        return key

    def _settle(
        self,
        key: Key | None,
        asked: Changing | Cancelling,
        answer: Answer,
        why: set[str],
        apply: Callable[[], None],
    ) -> None:
        booking, state = self.oracle.bookings[asked.booking_id], self._look()
        if not self._answered_before(key, asked, answer):
            if self._agreed(why, answer, asked):
                self._apply(booking, state, apply)
                self._tells_of(booking, answer)
            hours = self.house(booking.venue).rules["idempotency_ttl_hours"]
            self.answers.keep(key, asked, answer, self.now, hours=hours)
        self._compare(state)

    def _answered_before(self, key: Key | None, asked: Ask | Changing | Cancelling, answer: Answer) -> bool:
        before = self.answers.to(key, asked, self.now)
        if before is None:
            return False
        assert answer.code == before.code, f"{key} is answered {answer}, must be {before}: {asked}"
        assert not before.text or answer == before, f"{key} is answered {answer}, must be {before}"
        return True

    def _agreed(self, why: set[str], answer: Answer, about: object) -> bool:
        """Whether it was done; the oracle must be of the same opinion."""
        assert answer.code in (why or {DONE}), f"at {self.now}: {answer}, must be {why or DONE}: {about}"
        return not why

    def _new_id(self, answer: Answer, ask: Ask) -> UUID:
        body = orjson.loads(answer.text)
        id = UUID(body["id"])
        assert id not in self.oracle.bookings, f"{id} was answered as new again: {ask}"
        return id

    def _apply(self, booking: Booking, state: State, apply: Callable[[], None]) -> None:
        before = booking.claims
        apply()
        if booking.claims is not before:
            self._seat(booking, state)

    def _seat(self, booking: Booking, state: State) -> None:
        self.oracle.seat(booking, state.units(booking.id), self.now)

    def _tells_of(self, booking: Booking, answer: Answer) -> None:
        body = orjson.loads(answer.text)
        told = (UUID(body["id"]), body["status"], body["version"], body["party_size"])
        assert told == (booking.id, booking.status, booking.version, booking.size), answer.text
        assert datetime.fromisoformat(body["start"]) == booking.start, answer.text
        assert datetime.fromisoformat(body["end"]) == booking.end, answer.text

    # ---- comparing

    def _look(self) -> State:
        state = self.world.look(self.tenants)
        units = {(owner, place, start, end): unit for owner, place, unit, start, end, _ in state.claims}
        self.oracle.adopt(units, self.now)
        return state

    def _compare(self, state: State) -> None:
        bookings = {each.id: _row(each) for each in self.oracle.bookings.values()}
        for id in bookings.keys() | state.bookings.keys():
            have, must = state.bookings.get(id), bookings.get(id)
            assert have == must, f"at {self.now}: booking {id} is {have}, must be {must}"
        claims = sorted(_claims(self.oracle.bookings.values()))
        more, less = set(state.claims) - set(claims), set(claims) - set(state.claims)
        assert state.claims == claims, f"at {self.now}: too many claims {more}, too few {less}"


def _row(booking: Booking) -> tuple[Any, ...]:
    return (
        booking.status,
        booking.version,
        booking.start,
        booking.end,
        booking.size,
        tuple(each.id for each in booking.choice),
        booking.expires_at,
        booking.version,  # rows of its history
        booking.named,
        list(booking.kinds),
        booking.length_asked,
        booking.in_slot,
    )


def _claims(bookings: Any) -> list[tuple[Any, ...]]:
    return [
        (each.id, claim.place.id, claim.unit, claim.start, claim.end, each.expires_at)
        for each in bookings
        for claim in each.claims
    ]
