"""A client of the live channels: takes a snapshot, follows the events, and takes another."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.event.number import Numberer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.live import store as audit_store
from holdfast.live.auditor import mismatches
from holdfast.live.snapshot import Snapshot, Wanted, take_snapshot
from holdfast.place.places import Places


@dataclass(slots=True)
class Follower:
    """One client of one channel, with what the product itself makes of snapshots and events."""

    db: Database
    places: Places
    wanted: Wanted
    first: Snapshot | None = None
    since: int = 0

    async def begin(self) -> None:
        """Takes a snapshot. Nothing happens meanwhile, or it is begun anew."""
        self.since = (await Numberer(self.db).number()).head
        self.first = await take_snapshot(self.db, self.wanted, places=self.places)

    async def compare(self) -> list[str]:
        """Where the events since then do not lead to a new snapshot, which is the first from now on. No
        transaction is under way."""
        first, since = self.first, self.since
        await self.begin()
        if first is None or self.first is None:
            return []
        if first.stand.epoch != self.first.stand.epoch:
            return []  # closed meanwhile, as days that are over are
        call = self.db.call(SYSTEM, tenants=[self.wanted.tenant_id])
        events = await call.run(audit_store.events, self.wanted, after=since)
        return [f"told {each.told} and shows {each.read}" for each in mismatches(first, events, self.first)]
