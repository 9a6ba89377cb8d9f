"""Any sequence of what people and time do to bookings: the database must end up as the oracle says, each step.

Both tests run sequences of rules that Hypothesis makes up. `make test` tries a hundred, `make soak`
thousands. One that fails is shown in its shortest form; HOLDFAST_SEED=<the seed printed> runs all of them again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import precondition, rule

from holdfast.booking.states import Status as S

from .answers import Key
from .drafts import (
    ATS,
    DRAFTS,
    KEYS,
    KINDS,
    LENGTHS,
    MINUTE,
    PEOPLE,
    PICKS,
    PLACES,
    SIZES,
    STALE,
    At,
    Draft,
    kinds,
    places,
)
from .simulation import Simulation, simulate
from .words import FIRST, STEPS, Ask, Booking, Cancelling, Changing, Edit, Request, Who
from .world import World

SOAK_TIMES = 50


class Bookings(Simulation):
    """Everything that is done to bookings one at a time."""

    @rule(draft=DRAFTS, key=KEYS)
    def create(self, draft: Draft, key: str | None) -> None:
        self.run.create([(self.asking.ask(draft), self.asking.key(key))])

    @rule(pick=PICKS, at_once=st.booleans(), who=PEOPLE, stale=STALE)
    def onward(self, pick: int, at_once: bool, who: str, stale: int) -> None:
        """A hold is converted, a request confirmed, a guest checked in, a visit completed."""
        if booking := self.pick(pick):
            first = FIRST[self.run.house(booking.venue).rules["lifecycle"]]
            usual = {
                S.HELD: first,
                S.RESERVED: S.CHECKED_IN if at_once else S.CONFIRMED,
                S.CONFIRMED: S.CHECKED_IN,
                S.CHECKED_IN: S.COMPLETED,
            }
            to = usual.get(booking.status, S.CONFIRMED)
            self.run.move(booking, to, booking.version + stale, self.asking.who(who, booking.venue, booking))

    @rule(
        pick=PICKS,
        which=st.integers(0, 5),
        to=st.none() | st.sampled_from(S),
        who=st.sampled_from(["bob", "system", "system", "owner", "charlie"]),
        ended=st.booleans(),
    )
    def any_step(self, pick: int, which: int, to: S | None, who: str, ended: bool) -> None:
        """One of the steps that there are from where a booking stands; or to any status."""
        if booking := self.pick(pick, among_ended=to is not None and ended):
            there_are = sorted(STEPS.get(booking.status, S))
            to = to or there_are[which % len(there_are)]
            self.run.move(booking, to, booking.version, self.asking.who(who, booking.venue, booking))

    @rule(pick=PICKS, again=st.booleans(), to=st.sampled_from([S.CONFIRMED, S.ASSIGNMENT_PENDING]))
    def displace(self, pick: int, again: bool, to: S) -> None:
        """A booking loses its place, or gets one again."""
        wanted = {S.MANUAL_REVIEW, S.ASSIGNMENT_PENDING} if again else {S.CONFIRMED}
        found = [each for each in self.going_on() if each.status in wanted]
        if found:
            booking = found[pick % len(found)]
            onward = S.ASSIGNMENT_IN_PROGRESS if booking.status is S.ASSIGNMENT_PENDING else to
            system = Who("system", "system")
            self.run.move(booking, onward if again else S.MANUAL_REVIEW, booking.version, system)

    @rule(pick=PICKS, who=PEOPLE, stale=STALE, key=KEYS, ended=st.booleans())
    def cancel(self, pick: int, who: str, stale: int, key: str | None, ended: bool) -> None:
        if booking := self.pick(pick, among_ended=ended):
            asker = self.asking.who(who, booking.venue, booking)
            self.run.cancel(Cancelling(booking.id, booking.version + stale, asker), self.asking.key(key))

    @rule(pick=PICKS, at=ATS, minutes=LENGTHS)
    def reschedule(self, pick: int, at: At, minutes: int | None) -> None:
        if booking := self.pick(pick):
            start = at.instant(self.run.house(booking.venue), self.run.now)
            self._change(booking, Edit(start=start, minutes=minutes))

    @rule(pick=PICKS, more=st.sampled_from([1, 3, -1, 0]), minutes=LENGTHS)
    def resize(self, pick: int, more: int, minutes: int | None) -> None:
        if booking := self.pick(pick):
            self._change(booking, Edit(size=max(booking.size + more, 1), minutes=minutes))

    @rule(pick=PICKS, place=PLACES, kind=st.integers(1, 3), more=st.sampled_from([0, 1, 3]))
    def reseat(self, pick: int, place: int, kind: int, more: int) -> None:
        if booking := self.pick(pick):
            named = places(booking.venue, place)
            edit = Edit(places=named) if named else Edit(kinds=kinds(booking.venue, kind))
            self._change(booking, replace(edit, size=booking.size + more if more else None))

    @rule(
        pick=PICKS,
        said=st.sets(st.sampled_from(["start", "minutes", "size", "places", "kinds"]), min_size=1),
        more=st.sampled_from([0, 0, 1, 3, -1]),
    )
    def say_again(self, pick: int, said: set[str], more: int) -> None:
        """What the booking has already; perhaps for another party."""
        if booking := self.pick(pick):
            again = Edit(
                start=booking.start,
                minutes=(booking.end - booking.start) // MINUTE,
                size=max(booking.size + more, 1),
                places=tuple(each.slug for each in booking.choice),
                kinds=None if "places" in said else booking.kinds,
            )
            unsaid = {name: None for name in ("start", "minutes", "places", "kinds") if name not in said}
            self._change(booking, replace(again, **unsaid))

    def _change(self, booking: Booking, edit: Edit) -> None:
        bob = self.asking.who("bob", booking.venue)
        self.run.change(Changing(booking.id, booking.version, bob, edit), None)

    @rule(
        pick=PICKS,
        at=st.none() | ATS,
        size=st.none() | SIZES,
        kind=KINDS,
        who=PEOPLE,
        stale=STALE,
        key=KEYS,
        ended=st.booleans(),
    )
    def change(
        self,
        pick: int,
        at: At | None,
        size: int | None,
        kind: int,
        who: str,
        stale: int,
        key: str | None,
        ended: bool,
    ) -> None:
        """Several things at once, by anybody; or a note alone."""
        if booking := self.pick(pick, among_ended=ended):
            edit = Edit(
                start=None if at is None else at.instant(self.run.house(booking.venue), self.run.now),
                size=size,
                kinds=kinds(booking.venue, kind) or None,
                note="a note",
            )
            asker = self.asking.who(who, booking.venue, booking)
            asked = Changing(booking.id, booking.version + stale, asker, edit)
            self.run.change(asked, self.asking.key(key))

    @precondition(lambda self: self.run.asked)
    @rule(pick=PICKS, other=st.sampled_from([False, False, True]))
    def ask_again(self, pick: int, other: bool) -> None:
        """The same request with the same key; or another one with it."""
        self._ask_again(*self.run.asked[::-1][pick % len(self.run.asked)], other=other)

    @precondition(lambda self: self.run.answers.given)
    @rule(pick=PICKS, seconds=st.sampled_from([0, -1]), other=st.booleans())
    def ask_when_it_is_forgotten(self, pick: int, seconds: int, other: bool) -> None:
        """The same, or something else, just when the answer is kept no longer; or a second before."""
        kept = [each for each in self.run.answers.given.items() if each[1].until > self.run.now]
        kept.sort(key=lambda each: each[1].until)
        if kept:
            key, last = kept[pick % min(len(kept), 4)]
            self.run.pass_time(max(last.until + timedelta(seconds=seconds) - self.run.now, timedelta()))
            self._ask_again(key, last.request, other=other)

    def _ask_again(self, key: Key, asked: Request, *, other: bool) -> None:
        match asked:
            case Ask():
                self.run.create([(replace(asked, note="other") if other else asked, key.text)])
            case Cancelling():
                self.run.cancel(replace(asked, note="other") if other else asked, key.text)
            case Changing(edit=edit):
                self.run.change(
                    replace(asked, edit=replace(edit, note="other")) if other else asked, key.text
                )


class Sets(Simulation):
    """Bookings that are wanted at the same time: the writer's sets are as good as one after the other."""

    @rule(
        drafts=st.lists(st.tuples(DRAFTS, KEYS), min_size=2, max_size=20), again=st.sampled_from([0, 0, 1, 3])
    )
    def create_set(self, drafts: list[tuple[Draft, str | None]], again: int) -> None:
        """Some of it may be asked twice in the same set."""
        wanted = [(self.asking.ask(draft), self.asking.key(key)) for draft, key in drafts]
        self.run.create(wanted + wanted[:again])

    @rule(pick=PICKS)
    def cancel(self, pick: int) -> None:
        if booking := self.pick(pick):
            bob = self.asking.who("bob", booking.venue)
            self.run.cancel(Cancelling(booking.id, booking.version, bob), None)

    @rule(pick=PICKS, to=st.sampled_from([S.CONFIRMED, S.CHECKED_IN]))
    def step(self, pick: int, to: S) -> None:
        if booking := self.pick(pick):
            self.run.move(booking, to, booking.version, self.asking.who("bob", booking.venue))


class Visits(Simulation):
    """Parties that come, and leave early, at their end or late; and others who want the place right after."""

    def __init__(self) -> None:
        super().__init__()
        self.run.rewrite(0, 1)  # a buffer on all of its places

    @rule(
        pick=PICKS,
        minutes=st.sampled_from([-45, -20, -1, 0, 1, 15, 29, 30, 44, 60, 90]),
        after=st.sampled_from([-1, 0, 1, 9, 10, 15, 20, 29, 30, 31, 45, 60]),
        how=st.sampled_from([S.COMPLETED, S.COMPLETED, S.CANCELLED, None]),
        draft=DRAFTS,
    )
    def come_and_go(self, pick: int, minutes: int, after: int, how: S | None, draft: Draft) -> None:
        """One party leaves so many minutes after its end, or at a tick; the next comes so many after that."""
        here = [each for each in self.going_on() if each.venue == 0 and S.CHECKED_IN in STEPS[each.status]]
        if not here:
            return
        booking = here[pick % len(here)]
        bob = self.asking.who("bob", booking.venue)
        self.run.move(booking, S.CHECKED_IN, booking.version, bob)
        self.run.pass_time(max(booking.end + minutes * MINUTE - self.run.now, timedelta()))
        if how is None:
            self.run.tick("complete", 100)
        else:
            self.run.move(booking, how, booking.version, bob)
        length = (booking.end - booking.start + minutes * MINUTE) // MINUTE
        self.run.create([(self.asking.ask_for_its_place(booking, draft, minutes=length + after), None)])


# Without a fault the first takes seconds; with one, minutes are well spent on its shortest form.
TIMES = pytest.mark.parametrize(
    "times",
    [
        pytest.param(1, id="short", marks=pytest.mark.timeout(1200)),
        pytest.param(SOAK_TIMES, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3600)]),
    ],
)


@TIMES
def test_bookings_go_as_the_oracle_says(world: World, times: int) -> None:
    simulate(Bookings, world, runs=60 * times, steps=60)


@TIMES
def test_sets_are_as_good_as_one_after_the_other(world: World, times: int) -> None:
    simulate(Sets, world, runs=40 * times, steps=12)


@TIMES
def test_no_party_is_seated_while_it_is_cleaned_and_no_free_time_is_lost(world: World, times: int) -> None:
    simulate(Visits, world, runs=30 * times, steps=12)
