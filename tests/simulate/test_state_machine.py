"""Any sequence of what people and time do to bookings: the database must end up as the oracle says, each step.

Both tests run sequences of rules that Hypothesis makes up. `make test` tries some dozens, `make soak`
thousands. One that fails is shown in its shortest form; HOLDFAST_SEED=<the seed printed> runs all of them again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from holdfast.booking.states import Status as S
from holdfast.kernel.embedded import Server, create_database
from holdfast.main.migrate import migrate

from .documents import REWRITES
from .house import House
from .run import TICKS, Run
from .words import ENDS, FIRST, STEPS, Ask, Booking, Cancelling, Changing, Edit, Who
from .world import World

SEED = int(os.environ.get("HOLDFAST_SEED") or random.SystemRandom().randrange(2**32))
SOAK_TIMES = 40
RUNS_BETWEEN_CLEANING = 20
PROFILE = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# ---- what may be asked

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class At:
    """A start: the next time that it is so many minutes after the venue's midnight, or so many days later;
    with days -1, so many minutes from now."""

    days: int
    minutes: int

    def instant(self, house: House, now: datetime) -> datetime:
        if self.days < 0:
            return (now + self.minutes * MINUTE).replace(second=0, microsecond=0)
        today: date = house.wall(now).date()
        day = today if house.instant(today, self.minutes) >= now else today + timedelta(days=1)
        return house.instant(day + timedelta(days=self.days), self.minutes)


@dataclass(frozen=True)
class Draft:
    """What somebody wants, before it is known when and by whom. Few values, so that they meet. Without a
    size, as many come as the places named take, or two."""

    venue: int
    at: At
    who: str = "bob"
    size: int | None = None
    minutes: int | None = None
    place: int = 0
    kind: int = 0
    slot: bool = False
    hold: bool = False
    guest: bool = False


def clock(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def mostly(usual: st.SearchStrategy, *others: st.SearchStrategy) -> st.SearchStrategy:
    """Eight times in ten the usual. (`one_of` would forget that a strategy was given several times; and
    Hypothesis is fond of the ends of a range.)"""
    return st.integers(0, 9).flatmap(lambda n: st.one_of(others) if n in (4, 6) else usual)


USUAL = st.sampled_from([clock(each) for each in ("18:00", "18:30", "19:30", "21:00")])
ODD = st.sampled_from(
    [clock(each) for each in ("12:00", "21:10", "22:00", "23:00", "24:30", "17:07", "09:30")]
)
SOON = st.sampled_from([0, 15, 30, 60, 120, 240, -60])
ATS = mostly(
    st.builds(At, st.sampled_from([0, 0, 0, 1]), USUAL),
    st.builds(At, st.integers(0, 3), ODD),
    st.builds(At, st.just(-1), SOON),
)
SIZES = mostly(st.integers(2, 4), st.integers(1, 9))
LENGTHS = st.sampled_from([None, None, None, None, 60, 30, 120, 300])
VENUES = st.sampled_from([0, 0, 0, 1, 2])
DRAFTS = st.builds(
    Draft,
    venue=VENUES,
    at=ATS,
    who=st.sampled_from(["bob", "bob", "gina", "gus"]),
    size=mostly(st.none(), SIZES),
    minutes=LENGTHS,
    place=st.integers(0, 9),
    kind=mostly(st.just(0), st.integers(1, 3)),
    slot=mostly(st.just(False), st.booleans()),
    hold=st.sampled_from([False, False, True]),
    guest=st.booleans(),
)
# "owner" is the guest whose booking it is.
PEOPLE = st.sampled_from(["bob", "bob", "bob", "owner", "owner", "gus", "charlie"])
# None: without a key. "new": one that was never used. The others are used again and again.
KEYS = st.sampled_from([None, None, None, "new", "new", "new", "k1"])
PICK = st.integers(0, 30)
STALE = mostly(st.just(0), st.sampled_from([-1, 1]))
SETS_OF_PLACES = {
    0: [
        ("t1",),
        ("t2",),
        ("t3",),
        ("s1",),
        ("l1",),
        ("t1", "t2"),
        ("t3", "t2"),
        ("t1", "s1"),
        ("t1", "t2", "t3"),
    ],
    1: [("r1",), ("s1",), ("r1", "s1")],
    2: [("f1",), ("f2",), ("f1", "f2")],
}
KINDS = {
    0: [("table",), ("section",), ("table", "lane"), ("room",)],
    1: [("room", "section"), ("section",), ("table",)],
    2: [("facility",), ("facility", "room"), ("lane",)],
}


class Asking:
    """Turns what was drawn into what is asked."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.keys = 0

    def who(self, name: str, venue: int, booking: Booking | None = None) -> Who:
        """Bob works there, Gina and Gus are guests, Charlie works elsewhere."""
        own = self.run.house(venue).tenant_id
        if name == "owner":
            name = (booking and booking.guest) or "bob"
        if name == "system":
            return Who("system", "system")
        if name == "charlie":
            return Who("staff", name, next(each for each in self.run.tenants if each != own))
        return Who("staff" if name == "bob" else "guest", name, own)

    def key(self, key: str | None) -> str | None:
        self.keys += 1
        return f"new {self.keys}" if key == "new" else key

    def ask(self, draft: Draft) -> Ask:
        house, who = self.run.house(draft.venue), self.who(draft.who, draft.venue)
        guest = "gina" if draft.guest and who.kind == "staff" else who.id if who.kind == "guest" else None
        places = named(draft.venue, draft.place)
        return Ask(
            venue=draft.venue,
            who=who,
            start=draft.at.instant(house, self.run.now),
            minutes=draft.minutes,
            size=draft.size
            or (house.seats(tuple(house.places[each] for each in places))[1] if places else 2),
            places=places,
            kinds=() if places else kinds(draft.venue, draft.kind),
            slot=draft.slot and house.slot is not None,
            hold=draft.hold,
            guest=guest,
            ip="192.0.2.1" if draft.hold else None,
        )


def named(venue: int, place: int) -> tuple[str, ...]:
    sets = SETS_OF_PLACES[venue]
    return sets[place % len(sets)] if place else ()


def kinds(venue: int, kind: int) -> tuple[str, ...]:
    found = KINDS[venue]
    return found[kind % len(found)] if kind else ()


# ---- what happens


class Simulation(RuleBasedStateMachine):
    """What both machines do: time moves, and at the end the audit has nothing to say."""

    world: World
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        if type(self).runs % RUNS_BETWEEN_CLEANING == 0:
            self.world.empty()
        type(self).runs += 1
        self.run = Run(self.world)
        self.asking = Asking(self.run)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # after a step that went wrong, that is what is to be told
            report = self.world.audit()
            assert report.ok, [(each.check.name, each.violations[:3]) for each in report.failed]

    @initialize(drafts=st.lists(DRAFTS, min_size=4, max_size=16))
    def there_are_bookings(self, drafts: list[Draft]) -> None:
        self.run.create([(self.asking.ask(draft), None) for draft in drafts])

    @rule(minutes=st.sampled_from([5, 15, 1, 45, 90, 150, 600]))
    def time_passes(self, minutes: int) -> None:
        self.run.pass_time(minutes * MINUTE)

    @precondition(lambda self: self.run.boundaries())
    @rule(pick=PICK, seconds=st.sampled_from([0, 0, -1, 1]), ticking=st.booleans())
    def it_is_time(self, pick: int, seconds: int, ticking: bool) -> None:
        """Just when something is due, or a second off; the ticks notice, or are late."""
        instants = self.run.boundaries()
        then = instants[pick % min(len(instants), 4)] + timedelta(seconds=seconds)
        self.run.pass_time(max(then - self.run.now, timedelta()))
        for name in TICKS if ticking else ():
            self.run.tick(name, 100)

    @rule(name=st.sampled_from(sorted(TICKS)), limit=st.sampled_from([1, 2, 100]))
    def tick(self, name: str, limit: int) -> None:
        self.run.tick(name, limit)

    @rule(venue=VENUES, which=st.integers(0, len(REWRITES) - 1))
    def rewrite(self, venue: int, which: int) -> None:
        self.run.rewrite(venue, which)

    def pick(self, number: int, *, among_ended: bool = False) -> Booking | None:
        """One of the bookings that go on, the newest first and those past their time last; or of all."""
        every = list(self.run.oracle.bookings.values())[::-1]
        going_on = [each for each in every if each.status not in ENDS]
        going_on.sort(key=lambda each: each.is_past_its_time(self.run.now))
        found = every if among_ended else going_on
        return found[number % len(found)] if found else None


class Bookings(Simulation):
    """Everything that is done to bookings one at a time."""

    @rule(draft=DRAFTS, key=KEYS)
    def create(self, draft: Draft, key: str | None) -> None:
        self.run.create([(self.asking.ask(draft), self.asking.key(key))])

    @rule(draft=DRAFTS, key=KEYS)
    def create_another(self, draft: Draft, key: str | None) -> None:
        self.create(draft, key)

    @rule(pick=PICK, at_once=st.booleans(), who=PEOPLE, stale=STALE)
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
        pick=PICK,
        which=st.integers(0, 5),
        to=mostly(st.none(), st.sampled_from(S)),
        who=st.sampled_from(["bob", "system", "system", "owner", "charlie"]),
        ended=st.booleans(),
    )
    def any_step(self, pick: int, which: int, to: S | None, who: str, ended: bool) -> None:
        """One of the steps that there are from where a booking stands; or to any status."""
        if booking := self.pick(pick, among_ended=to is not None and ended):
            there_are = sorted(STEPS.get(booking.status, S))
            to = to or there_are[which % len(there_are)]
            self.run.move(booking, to, booking.version, self.asking.who(who, booking.venue, booking))

    @rule(pick=PICK, again=st.booleans(), to=st.sampled_from([S.CONFIRMED, S.ASSIGNMENT_PENDING]))
    def displace(self, pick: int, again: bool, to: S) -> None:
        """A booking loses its place, or gets one again."""
        wanted = {S.CONFIRMED} if not again else {S.MANUAL_REVIEW, S.ASSIGNMENT_PENDING}
        found = [each for each in self.run.oracle.bookings.values() if each.status in wanted]
        if found:
            booking = found[pick % len(found)]
            onward = S.ASSIGNMENT_IN_PROGRESS if booking.status is S.ASSIGNMENT_PENDING else to
            self.run.move(
                booking, onward if again else S.MANUAL_REVIEW, booking.version, Who("system", "system")
            )

    @rule(
        pick=PICK,
        who=PEOPLE,
        stale=STALE,
        key=KEYS,
        ended=mostly(st.just(False), st.booleans()),
    )
    def cancel(self, pick: int, who: str, stale: int, key: str | None, ended: bool) -> None:
        if booking := self.pick(pick, among_ended=ended):
            asked = Cancelling(
                booking.id, booking.version + stale, self.asking.who(who, booking.venue, booking)
            )
            self.run.cancel(asked, self.asking.key(key))

    @rule(
        pick=PICK,
        at=st.none() | ATS,
        minutes=st.none() | LENGTHS,
        size=st.none() | SIZES,
        place=st.integers(0, 9),
        kind=mostly(st.just(0), st.integers(1, 3)),
        who=PEOPLE,
        stale=STALE,
        key=KEYS,
    )
    def change(
        self,
        pick: int,
        at: At | None,
        minutes: int | None,
        size: int | None,
        place: int,
        kind: int,
        who: str,
        stale: int,
        key: str | None,
    ) -> None:
        booking = self.pick(pick, among_ended=place == 9)
        if booking is None:
            return
        places = named(booking.venue, place) or None
        edit = Edit(
            start=None if at is None else at.instant(self.run.house(booking.venue), self.run.now),
            minutes=minutes,
            size=size,
            places=places,
            kinds=None if places else kinds(booking.venue, kind) or None,
            note="a note" if minutes is None else "",
        )
        asker = self.asking.who(who, booking.venue, booking)
        self.run.change(Changing(booking.id, booking.version + stale, asker, edit), self.asking.key(key))

    @precondition(lambda self: self.run.asked)
    @rule(pick=PICK, other=st.sampled_from([False, False, True]))
    def ask_again(self, pick: int, other: bool) -> None:
        """The same request with the same key; or another one with it."""
        key, asked = self.run.asked[::-1][pick % len(self.run.asked)]
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
        drafts=st.lists(st.tuples(DRAFTS, KEYS), min_size=2, max_size=20),
        again=st.sampled_from([0, 0, 1, 3]),
    )
    def create_set(self, drafts: list[tuple[Draft, str | None]], again: int) -> None:
        """Some of it may be asked twice in the same set."""
        wanted = [(self.asking.ask(draft), self.asking.key(key)) for draft, key in drafts]
        self.run.create(wanted + wanted[:again])

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        if booking := self.pick(pick):
            asked = Cancelling(booking.id, booking.version, self.asking.who("bob", booking.venue))
            self.run.cancel(asked, None)

    @rule(pick=PICK, to=st.sampled_from([S.CONFIRMED, S.CHECKED_IN]))
    def step(self, pick: int, to: S) -> None:
        if booking := self.pick(pick):
            self.run.move(booking, to, booking.version, self.asking.who("bob", booking.venue))


# ---- the tests

# Without a fault the first takes seconds; with one, minutes are well spent on its shortest form.
TIMES = pytest.mark.parametrize(
    "times",
    [
        pytest.param(1, marks=pytest.mark.timeout(1200)),
        pytest.param(SOAK_TIMES, marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3600)]),
    ],
)


@pytest.fixture(scope="module")
async def simulated_url(server: Server) -> str:
    """A database of its own, so that the audit is about these bookings alone."""
    await create_database(server, "simulated")
    await migrate(server.url("simulated"))
    return server.url("simulated")


@pytest.fixture(scope="module")
def world(simulated_url: str) -> Iterator[World]:
    world = World(simulated_url)
    yield world
    world.close()


def simulate(machine: type[Simulation], world: World, *, runs: int, steps: int) -> None:
    machine.world = world
    print(f"HOLDFAST_SEED={SEED}")
    profile = settings(PROFILE, max_examples=runs, stateful_step_count=steps)
    run_state_machine_as_test(seed(SEED)(machine), settings=profile)


@TIMES
def test_bookings_go_as_the_oracle_says(world: World, times: int) -> None:
    simulate(Bookings, world, runs=130 * times, steps=60)


@TIMES
def test_sets_are_as_good_as_one_after_the_other(world: World, times: int) -> None:
    simulate(Sets, world, runs=70 * times, steps=12)
