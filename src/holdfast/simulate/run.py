"""Runs a simulation from its first to its last virtual day."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from time import perf_counter
from typing import Final

from holdfast.audit.run import audit
from holdfast.engine import Engine
from holdfast.kernel.db.database import Database
from holdfast.kernel.failure import stack_of
from holdfast.simulate.check import check_record
from holdfast.simulate.clock import Clock
from holdfast.simulate.people import guest, staff
from holdfast.simulate.people.asking import Asking
from holdfast.simulate.places import DOCUMENTS
from holdfast.simulate.process import Chaos, Process
from holdfast.simulate.record import Record
from holdfast.simulate.watch import Watch
from holdfast.simulate.worker import PeriodicVerb, Promoter, Worker
from holdfast.simulate.world import World

GUESTS_A_DAY: Final = 600
PROCESSES: Final = 2
WORKERS: Final = 2
FIRST_YEAR: Final = 2040
"""So far ahead that a real worker on the same database never considers these bookings due."""
YEARS: Final = 5
SEED_MAX: Final = 2**32 - 1
DAY: Final = timedelta(days=1)
TROUBLE_EVERY_H: Final = 3
JUMP_MINUTES_MAX: Final = 180

Passed = Callable[[float], None]
"""Called with the number of virtual days that have passed."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The parameters of a simulation. `run_id`: up to 12 lower-case letters and digits, unique among the simulations
    on the database. `guests`: arrivals per day."""

    seed: int
    run_id: str
    days: int = 7
    faults: bool = False
    guests: int = GUESTS_A_DAY


@dataclass(slots=True)
class Simulated:
    """The result of a simulation."""

    asked: Scenario
    record: Record
    guests: int = 0
    days_done: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    audits_failed: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    mismatches: int = 0
    live_events: int = 0
    seconds: float = 0.0

    @property
    def audit_ok(self) -> bool:
        return not self.audits_failed

    @property
    def ok(self) -> bool:
        return self.audit_ok and not self.record.wrong_total


async def simulate(
    engine: Engine, url: str, asked: Scenario, *, ticks: Sequence[PeriodicVerb], passed: Passed
) -> Simulated:
    """Simulates the days, in their own tenants. At the end of each day it checks the audit, the record of acknowledged
    outcomes, the channels and the queue. It stops after the first day with a violation.

    `engine`: for the checks, without faults; `url`: of the same database, for the simulated processes. `ticks`: the
    periodic work. With the same seed, guests and staff do the same as long as they get the same answers.
    """
    started = perf_counter()
    world = await _world(asked, url, engine)
    simulated = Simulated(asked, world.record)
    try:
        await staff.open_houses(world, engine)
        watch = Watch(engine.db, world.record, engine.places)
        await watch.begin(world, days=asked.days)
        await _populate(world, asked, ticks, watch)
        for day in range(1, asked.days + 1):
            at_end = world.start + day * DAY
            _invite(world, at_end - DAY, asked.guests)
            await _play(world, at_end, passed)
            await _check(engine.db, world, watch, simulated)
            simulated.days_done = day
            if not simulated.ok:
                break
    finally:
        await world.clock.stop()
        await world.chaos.stop()
        await asyncio.gather(*(process.stop() for process in world.processes))
        simulated.seconds = perf_counter() - started
    return simulated


async def _play(world: World, until: datetime, passed: Passed) -> None:
    try:
        await world.clock.run(until=until, passed=lambda now: passed((now - world.start) / DAY))
    except Exception as error:
        # Somebody got an answer that makes no sense; the checks still report what they can.
        world.record.found_wrong(f"Somebody could not continue: {stack_of(error)}")


async def _world(asked: Scenario, url: str, engine: Engine) -> World:
    random = Random(f"{asked.seed} start")
    first = date(FIRST_YEAR, 1, 1) + timedelta(days=random.randrange(365 * YEARS))
    start = datetime.combine(first, time(), UTC)
    clock, chaos, record = Clock(start), Chaos(asked.seed, faults=asked.faults), Record()
    await chaos.start(url)
    served = {"clock": clock, "chaos": chaos, "record": record}
    processes = [await Process.start(url, engine, **served) for _ in range(PROCESSES)]
    return World(
        seed=asked.seed,
        run_id=asked.run_id,
        start=start,
        url=url,
        clock=clock,
        chaos=chaos,
        record=record,
        processes=processes,
        asking=Asking(processes, chaos=chaos, record=record),
    )


async def _populate(world: World, asked: Scenario, ticks: Sequence[PeriodicVerb], watch: Watch) -> None:
    """Starts everybody except the guests; they sleep until their time comes."""
    for house in world.houses:
        world.clock.start(staff.block_now_and_then(world, house))
        world.clock.start(staff.meddle(world, house))
        world.clock.start(staff.change_rules(world, house, DOCUMENTS[house.venue.slug], watch))
    for number in range(WORKERS):
        world.clock.start(Worker(world, ticks).tick(f"worker {number}"))
    promoter = Promoter(world, ())
    promoter.after = await promoter.head()
    world.clock.start(promoter.promote())
    if asked.faults:
        world.clock.start(make_trouble(world))


def _invite(world: World, day: datetime, count: int) -> None:
    """Starts the guests who will arrive that day."""
    for arrival in guest.arrivals(world.random(f"arrivals {day}"), day, count):
        world.invited += 1
        world.clock.start(guest.live(world, world.invited, arrival))


async def _check(db: Database, world: World, watch: Watch, simulated: Simulated) -> None:
    await check_record(db, world)
    await watch.verify()
    report = await audit(db)
    for failed in report.failed:
        simulated.audits_failed[failed.check.name] += failed.count
        world.record.found_wrong(
            f"The audit found {failed.count} rows: {failed.check.means} {failed.violations[:1]}"
        )
    simulated.guests = world.guests
    simulated.most_at_once = world.clock.most_at_once
    simulated.faults = world.chaos.counts
    simulated.mismatches, simulated.live_events = watch.mismatches, watch.events


async def make_trouble(world: World) -> None:
    """Every few hours, kills and replaces a process, or lets the clock jump."""
    random = world.random("trouble")
    while True:
        await world.clock.sleep(timedelta(hours=random.uniform(0.2, 2 * TROUBLE_EVERY_H)))
        if random.random() < 0.5:
            world.chaos.counted("clock_jumped")
            world.clock.jump(timedelta(minutes=random.uniform(1, JUMP_MINUTES_MAX)))
        else:
            world.chaos.counted("process_killed")
            await _replace(world, random.randrange(len(world.processes)))


async def _replace(world: World, place: int) -> None:
    killed = world.processes[place]
    world.processes[place] = await Process.start(
        world.url, killed.engine, clock=world.clock, chaos=world.chaos, record=world.record
    )
    await killed.kill()
