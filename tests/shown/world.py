"""A random venue with bookings, at a moment near a change of clocks, and what can be booked there: it is tried."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking import store
from holdfast.booking.change import change
from holdfast.booking.deciding.wish import Change
from holdfast.booking.making.create import Booked, Outcome, Refused, create
from holdfast.booking.model import Booking, Details, Guest
from holdfast.booking.said import Asker
from holdfast.booking.states import TERMINAL
from holdfast.booking.wanted import Wanted, When
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.place.opening import hours, slot
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from tests.conftest import House

from .blocks import block_some
from .limits import ADDRESSES, GUESTS, JUNIORS, bounding, selling, somebody
from .venues import document, holding_back
from .zones import YEARS, changes

DAYS_ASKED = 4
SOON = timedelta(days=5)
Question = Callable[["World"], Awaitable[int]]
"""Compares what is shown with what can be booked. Returns how much it compared."""
CAMPAIGN = 200  # worlds


class RolledBackError(Exception):
    """Ends the transaction of a world, of which nothing is kept."""


@dataclass
class World:
    """`days`: the opening days that are asked about; the clocks change on one of them. `groups`: those of guests that
    guests who ask with a token are in. `apart`: for what was added to the worlds later, so that the rest of them is as
    before. `booked`: the ids of the bookings that are there."""

    rng: random.Random
    venue: Venue
    days: list[date]
    tx: Tx
    places: Places
    groups: frozenset[str] = frozenset()
    apart: random.Random = field(default_factory=random.Random)
    booked: list[UUID] = field(default_factory=list)

    @property
    def said(self) -> str:
        """What a failure begins with."""
        return f"{self.venue.timezone} at {self.now.astimezone(self.venue.tz)}:"

    @property
    def now(self) -> datetime:
        return self.tx.now

    def asker(self, *, is_staff: bool, source: str) -> Asker:
        """Who asks: a guest with a token, or staff, who don't say yet for whom. As `asker_of` has it in the routes."""
        if is_staff:
            return Asker(True, source)
        if not self.venue.policy.fair_use:
            return Asker(False, source, groups=self.groups)
        return Asker(False, source, GUESTS[0], self.groups, ADDRESSES[0])

    def actor(self, asker: Asker) -> Actor:
        if asker.is_staff:
            return Actor("staff", "bob", (self.venue.tenant_id,), frozenset({"manager"}))
        return Actor("guest", asker.guest_id or GUESTS[0], (self.venue.tenant_id,), groups=asker.groups)

    def wanted(self, when: When, party_size: int, *, asker: Asker, **more: Any) -> Wanted:
        return Wanted(
            id=new_id(),
            tenant_id=self.venue.tenant_id,
            venue_id=self.venue.id,
            actor=self.actor(asker),
            when=when,
            party_size=party_size,
            details=Details(source=asker.source),
            guest=Guest(id=asker.guest_id if self.venue.policy.fair_use else GUESTS[0]),
            ip=asker.ip,
            **more,
        )

    async def create(self, wanted: Wanted) -> Outcome:
        return (await create(self.tx, [replace(wanted, id=new_id())], places=self.places))[0]

    async def outcome(self, wanted: Wanted) -> Booking | Refused:
        """What comes of the request, of which nothing is kept."""
        async with self.nothing_kept():
            found = await self.create(wanted)
        if isinstance(found, Booked):
            return found.booking
        assert isinstance(found, Refused), found
        return found

    async def changed(self, asked: Change, asker: Asker) -> Booking | HoldfastError:
        """What comes of the change, of which nothing is kept."""
        actor, self.tx.actor = self.tx.actor, self.actor(asker)
        try:
            async with self.nothing_kept():
                try:
                    return await change(self.tx, asked, venue=self.venue)
                except HoldfastError as error:
                    return error
        finally:
            self.tx.actor = actor

    async def standing(self) -> list[Booking]:
        """The bookings that can be changed, as they are now: some were displaced."""
        found = await store.of_ids(self.tx, [(self.venue.tenant_id, each) for each in self.booked])
        return [
            each
            for each in found
            if each.status not in TERMINAL and (each.expires_at is None or each.expires_at > self.now)
        ]

    @asynccontextmanager
    async def nothing_kept(self) -> AsyncIterator[None]:
        await self.tx.execute("SAVEPOINT before")
        events = len(self.tx.events)
        yield
        del self.tx.events[events:]
        await self.tx.execute("ROLLBACK TO SAVEPOINT before")
        await self.tx.execute("RELEASE SAVEPOINT before")

    def starts(self) -> list[datetime]:
        """Times at which something may start: on some step, with some slot, and others."""
        venue, found = self.venue, set[datetime]()
        own = {None, *(each.hours for each in venue.resources.values())}
        days = [self.days[0] - timedelta(days=1), *self.days]
        for day in days if venue.stay is None else ():
            for each in own:
                found.update(hours.starts_of_day(venue, each, day, duration_minutes=15))
            found.update(each.span.start for each in slot.windows_on(venue, day) if venue.slots)
        found |= {each + timedelta(minutes=5) for each in self.rng.sample(sorted(found), min(3, len(found)))}
        return sorted(found | {*self._around_changes()} if venue.stay is None else found)

    def _around_changes(self) -> list[datetime]:
        """Times just before and after the clocks change."""
        at = [each for each in changes(self.venue.timezone) if abs(each - self.now) < SOON]
        return [each + timedelta(minutes=15 * n) for each in at for n in range(-8, 9)]

    def whens(self, most: int, *, minutes: int | None = None) -> Iterator[When]:
        """Some of the times that can be asked for."""
        starts = self.starts()
        if self.venue.stay is not None:
            for day in self.days:
                for count in (1, 2):
                    yield When(arrival=day, nights=count)
            return
        for start in (*self.rng.sample(starts, min(most, len(starts))), *self._around_changes()[::3]):
            yield When(start=start, duration_minutes=minutes)
        for day in self.days if self.venue.slots and minutes is None else ():
            for each in slot.windows_on(self.venue, day):
                yield When(day=day, slot_id=each.id)

    def demands(self) -> Iterator[Preferences]:
        groups = {each.group for each in self.venue.resources.values() if each.group}
        zones = {each.zone for each in self.venue.resources.values() if each.zone}
        yield ANYTHING
        for group in sorted(groups):
            yield Preferences(group=group)
        for zone in sorted(zones)[:1]:
            yield Preferences(zones=(zone,))

    async def fill(self, *, blocks: bool = True) -> None:
        """Makes bookings: some for types, some by name, some holds that expire before anybody asks; and blocks."""
        self.tx.now -= timedelta(hours=1)
        demands = list(self.demands())
        groups = [each for each in demands if each.group is not None]
        blocked = partial(block_some, self.tx, self.venue, self.apart, days=DAYS_ASKED, places=self.places)
        await blocked() if blocks else None
        for when in self.whens(self.rng.choice([3, 15, 30])):
            asker = Asker(is_staff=self.rng.random() < 0.7, source=self.rng.choice(["api", "web", "phone"]))
            if self.venue.policy.fair_use:
                who = {"is_staff": asker.is_staff, "source": asker.source, "groups": self.groups}
                asker = somebody(self.apart, **who)
            more: dict[str, Any] = {"preferences": self.rng.choice([*demands, *groups])}
            if self.rng.random() < 0.3:
                more = {"resource_ids": (self.rng.choice(sorted(self.venue.resources)),)}
            more["hold"] = self.rng.random() < 0.2
            made = await self.create(self.wanted(when, self.rng.choice([1, 2, 2, 3, 4]), asker=asker, **more))
            self.booked += [made.booking.id] if isinstance(made, Booked) else []
        await blocked() if blocks else None
        self.tx.now += timedelta(hours=1)


Ask = Callable[[Question, Iterable[int]], Awaitable[int]]


async def in_world(seed: int, engine: Engine, open_house: Callable[..., Any], question: Question) -> int:
    """Asks the question in the world of that seed, of which nothing is kept."""
    rng = random.Random(seed)
    zone = sorted(YEARS)[seed % len(YEARS)]
    at = rng.choice(changes(zone))
    now = at - timedelta(minutes=rng.randrange(3 * 24 * 60) - 600)
    first = now.astimezone(ZoneInfo(zone)).date()
    days = [first + timedelta(days=n) for n in range(DAYS_ASKED)]
    keeping = random.Random(f"{seed} holds back")  # on its own, so that the other worlds are as without it
    bounds, apart = random.Random(f"{seed} bounds"), random.Random(f"{seed} apart")
    described = bounding(bounds, holding_back(keeping, document(rng, zone, days)))
    house: House = await open_house(**selling(bounds, described))
    venue = await engine.places.venue(UUID(house.venue_id))
    locks = [lock_key(venue.id)]
    call = engine.db.call(SYSTEM, tenants=[venue.tenant_id], locks=locks, now=now, deadline_s=None)
    compared = 0

    async def asked(tx: Tx) -> None:
        nonlocal compared
        groups = frozenset(keeping.sample(["members"], keeping.randint(0, 1)))
        if venue.policy.fair_use:
            groups |= frozenset(apart.sample([JUNIORS], apart.randint(0, 1)))
        world = World(rng, venue, days, tx, engine.places, groups, apart)
        await world.fill()
        compared = await question(world)
        raise RolledBackError

    try:
        await call.run(asked)
    except RolledBackError:
        return compared
    except BaseException as error:
        error.add_note(f"in the world of seed {seed}")
        raise
    raise AssertionError("the transaction was kept")


def campaign() -> Iterable[int]:
    """The seeds of a long campaign: others each time, unless HOLDFAST_SEED says the first."""
    first = int(os.environ.get("HOLDFAST_SEED") or random.randrange(2**32))
    print(f"HOLDFAST_SEED={first}")
    return range(first, first + CAMPAIGN)
