"""What every machine does: time moves, rules are rewritten, and in the end the audit has nothing to say."""

from __future__ import annotations

import os
import random
import sys
from datetime import timedelta
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .documents import REWRITES
from .drafts import DRAFTS, MINUTE, PICKS, VENUES, Asking, Draft
from .run import TICKS, Run
from .words import ENDS, EXPIRING, Booking
from .world import World

SEED = int(os.environ.get("HOLDFAST_SEED") or random.SystemRandom().randrange(2**32))
RUNS_BETWEEN_AUDITS = 20
PROFILE = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Simulation(RuleBasedStateMachine):
    """Time, ticks and managers."""

    world: World
    runs = 0
    audits_each_run = False
    found: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__()
        if self.audits_each_run:
            self.world.empty()
        elif type(self).runs % RUNS_BETWEEN_AUDITS == 0:
            self.found.extend(self.world.audit())
            self.world.empty()
        type(self).runs += 1
        self.run = Run(self.world)
        self.asking = Asking(self.run)

    def teardown(self) -> None:
        # After a step that went wrong, that is what is to be told.
        if self.audits_each_run and sys.exc_info()[0] is None:
            found = self.world.audit()
            assert not found, found

    @initialize(drafts=st.lists(DRAFTS, min_size=4, max_size=16))
    def there_are_bookings(self, drafts: list[Draft]) -> None:
        self.run.create([(self.asking.ask(draft), None) for draft in drafts])

    @rule(minutes=st.sampled_from([5, 15, 1, 45, 90, 150, 600]))
    def time_passes(self, minutes: int) -> None:
        self.run.pass_time(minutes * MINUTE)

    @precondition(lambda self: self.run.boundaries())
    @rule(pick=PICKS, seconds=st.sampled_from([0, 0, -1, 1]), ticking=st.booleans())
    def it_is_time(self, pick: int, seconds: int, ticking: bool) -> None:
        """Just when something is due, or a second off; the ticks notice, or are late."""
        instants = self.run.boundaries()
        then = instants[pick % min(len(instants), 4)] + timedelta(seconds=seconds)
        self.run.pass_time(max(then - self.run.now, timedelta()))
        for name in TICKS if ticking else ():
            self.run.tick(name, 100)

    @rule(pick=PICKS, seconds=st.sampled_from([0, 0, -1, 1]), draft=DRAFTS)
    def the_last_moment(self, pick: int, seconds: int, draft: Draft) -> None:
        """Somebody wants the place of a hold just when its time is up."""
        held = [each for each in self.going_on() if each.status in EXPIRING and each.expires_at is not None]
        if held:
            booking = held[pick % len(held)]
            assert booking.expires_at is not None
            then = booking.expires_at + timedelta(seconds=seconds)
            self.run.pass_time(max(then - self.run.now, timedelta()))
            self.run.create([(self.asking.ask_for_its_place(booking, draft, minutes=0), None)])

    @rule(pick=PICKS, minutes=st.sampled_from([0, 30, 90, -60, -90, -120]), draft=DRAFTS)
    def want_what_is_taken(self, pick: int, minutes: int, draft: Draft) -> None:
        """Somebody wants a place that another one has, then or thereabouts."""
        if booking := self.pick(pick):
            self.run.create([(self.asking.ask_for_its_place(booking, draft, minutes=minutes), None)])

    @rule(name=st.sampled_from(sorted(TICKS)), limit=st.sampled_from([1, 2, 100]))
    def tick(self, name: str, limit: int) -> None:
        self.run.tick(name, limit)

    @rule(hours=st.sampled_from([0, 0, 1, 12]), limit=st.sampled_from([1, 100]))
    def archive(self, hours: int, limit: int) -> None:
        """What has been over for so long leaves the ledger, whatever becomes of its booking later."""
        self.run.archive(self.run.now - timedelta(hours=hours), limit)

    @rule(venue=VENUES, which=st.integers(0, len(REWRITES) - 1))
    def rewrite(self, venue: int, which: int) -> None:
        self.run.rewrite(venue, which)

    # ---- choosing

    def going_on(self) -> list[Booking]:
        """The bookings that have not ended, the newest first and those past their time last."""
        every = list(self.run.oracle.bookings.values())[::-1]
        going_on = [each for each in every if each.status not in ENDS]
        return sorted(going_on, key=lambda each: each.is_past_its_time(self.run.now))

    def pick(self, number: int, *, among_ended: bool = False) -> Booking | None:
        """One of the bookings that go on, or of all."""
        found = list(self.run.oracle.bookings.values())[::-1] if among_ended else self.going_on()
        return found[number % len(found)] if found else None


def simulate(machine: type[Simulation], world: World, *, runs: int, steps: int) -> None:
    """Runs the machine so many times, so many steps each at most; what it says comes with the seed.

    What the runs leave is audited together. Should that fail, they are run again with an audit after each, which
    shows the shortest one that leaves what must not be.
    """
    machine.world, machine.found = world, []
    world.empty()
    print(f"HOLDFAST_SEED={SEED}")
    profile = settings(PROFILE, max_examples=runs, stateful_step_count=steps)
    run_state_machine_as_test(seed(SEED)(machine), settings=profile)
    found = machine.found + world.audit()
    if found:
        again = type(machine.__name__, (machine,), {"audits_each_run": True})
        run_state_machine_as_test(seed(SEED)(again), settings=profile)
    assert not found, found
