"""A subscriber that checks that the events of each slot add up to its actual state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from holdfast.channel.slots import DatedSlot, slots_of_day
from holdfast.channel.state import SlotState, slot_state
from holdfast.channel.store import open_channel
from holdfast.claim import store as claims
from holdfast.claim.model import claimed_span
from holdfast.event.number import Numberer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.live import store as audit_store
from holdfast.live.auditor import mismatches
from holdfast.place.opening.hours import to_wall
from holdfast.place.places import Places
from holdfast.place.store import load_venues
from holdfast.place.venue import Venue
from holdfast.simulate.record import Record
from holdfast.simulate.world import House, World
from holdfast.snapshot.take import SlotKey, Snapshot, take_snapshot

DAYS_AHEAD: Final = 3
EVENTS_MAX: Final = 100_000

VERSION = "SELECT epoch, version FROM channel WHERE tenant_id = $1 AND venue_id = $2 AND name = $3"
EVENTS = f"""
    SELECT version, payload FROM event
     WHERE tenant_id = $1 AND venue_id = $2 AND channel = $3 AND version > $4 AND epoch = $5
     ORDER BY version LIMIT {EVENTS_MAX}
"""


@dataclass(slots=True)
class Follower:
    """A channel, and a subscriber's view of it. `version`: of the last event received. `first`: a snapshot as the
    product takes it; `since`: the position of the last event before it.
    """

    house: House
    wanted: SlotKey
    epoch: int = 0
    version: int = 0
    states: dict[UUID, SlotState] = field(default_factory=dict)
    first: Snapshot | None = None
    since: int = 0


@dataclass(slots=True)
class Watch:
    """Subscribes to the channels of all slots in the simulation. `mismatches`: resources whose state differed from what
    the events said; `events`: the number received."""

    db: Database
    record: Record
    places: Places
    seen: list[Follower] = field(default_factory=list)
    mismatches: int = 0
    events: int = 0

    async def begin(self, world: World, *, days: int) -> None:
        """Opens the channels of every slot on these days and DAYS_AHEAD more."""
        for house in world.houses:
            first = to_wall(world.start, house.venue.tz).date()
            for number in range(days + DAYS_AHEAD):
                for slot in slots_of_day(house.venue, first + timedelta(days=number)):
                    wanted = SlotKey(house.venue.tenant_id, house.id, slot.day, slot.id)
                    self.seen.append(Follower(house, wanted))
            await self.reset(house)

    async def reset(self, house: House) -> None:
        """Starts all channels of a venue over after a change of its rules, since slots may have moved."""
        for each in self.seen:
            if each.house is house:
                await self._run(each, _look)
                await self._take_snapshot(each)

    async def verify(self) -> None:
        """Reads the events since the last check and compares the result with the actual state. Nothing else runs
        meanwhile. Uses both this file's calculation and the product's own."""
        for each in self.seen:
            await self._run(each, self._verify)
            for said in await self._compare(each):
                self._wrong(each, said)

    async def _take_snapshot(self, each: Follower) -> Snapshot:
        """Takes a snapshot. Nothing else runs meanwhile."""
        each.since = (await Numberer(self.db).number()).head
        each.first = await take_snapshot(self.db, each.wanted, places=self.places)
        return each.first

    async def _compare(self, each: Follower) -> list[str]:
        """Compares, with the product's own code, the first snapshot plus the events since with a new snapshot, which
        becomes the first. Returns the mismatches. No transaction is running."""
        first, since = each.first, each.since
        now = await self._take_snapshot(each)
        if first is None or first.revision.epoch != now.revision.epoch:
            return []  # closed since, like all past days
        call = self.db.call(SYSTEM, tenants=[each.wanted.tenant_id])
        events = await call.run(audit_store.events, each.wanted, after=since)
        return [f"announced {one.told} but shows {one.read}" for one in mismatches(first, events, now)]

    async def _run(self, each: Follower, verb: Callable[[Tx, Follower], Awaitable[None]]) -> None:
        venue = each.house.venue
        call = self.db.call(SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue.id)], deadline_s=None)
        await call.run(verb, each)

    async def _verify(self, tx: Tx, each: Follower) -> None:
        tenant_id, venue_id = each.house.venue.tenant_id, each.house.id
        now = await tx.fetchrow(VERSION, tenant_id, venue_id, each.wanted.channel)
        if now is None or now["epoch"] != each.epoch:
            return  # A past day: a tick has closed the channel.
        for row in await tx.fetch(EVENTS, tenant_id, venue_id, each.wanted.channel, each.version, each.epoch):
            self._hear(each, row["version"], orjson.loads(row["payload"]))
        if each.version != now["version"]:
            self._wrong(each, f"is at version {now['version']}, but its events end at {each.version}")
        actual = await _states(tx, each)
        for id_ in actual.keys() | each.states.keys():
            if actual.get(id_) != each.states.get(id_):
                self._wrong(each, f"announced {each.states.get(id_)} for {id_}, but it is {actual.get(id_)}")
        each.version, each.states = now["version"], actual

    def _hear(self, each: Follower, version: int, payload: dict[str, Any]) -> None:
        self.events += 1
        if version != each.version + 1:
            self._wrong(each, f"goes from version {each.version} to {version}")
        each.version = version
        section = UUID(payload["section_id"])
        before = each.states.get(section)
        if before is None or before.state != payload["previous_state"]:
            self._wrong(
                each,
                f"says at version {version} that {section} was {payload['previous_state']}, but it was {before}",
            )
        each.states[section] = SlotState(payload["new_state"], payload["units_free"], payload["changed_by"])

    def _wrong(self, each: Follower, said: str) -> None:
        self.mismatches += 1
        self.record.found_wrong(f"The channel {each.wanted.channel} of {each.house.venue.slug} {said}.")


async def _look(tx: Tx, each: Follower) -> None:
    venue = each.house.venue
    await open_channel(tx, tenant_id=venue.tenant_id, venue_id=venue.id, name=each.wanted.channel)
    now = await tx.fetchrow(VERSION, venue.tenant_id, venue.id, each.wanted.channel)
    assert now is not None
    each.epoch, each.version, each.states = now["epoch"], now["version"], await _states(tx, each)


async def _states(tx: Tx, each: Follower) -> dict[UUID, SlotState]:
    """Returns the states according to the ledger."""
    venue: Venue = (await load_venues(tx, [each.house.id]))[each.house.id]
    slot: DatedSlot = next(
        one for one in slots_of_day(venue, each.wanted.day) if one.id == each.wanted.slot_id
    )
    probes = [(venue.tenant_id, one.id, claimed_span(one, slot.span)) for one in venue.resources.values()]
    found = await claims.overlapping(tx, probes)
    return {one.id: slot_state(one, slot.span, found) for one in venue.resources.values()}
