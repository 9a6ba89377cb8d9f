"""Is what the stream of a channel tells what its snapshots show?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.events import Committed
from holdfast.live import audit_store as store
from holdfast.live.cursor import public_epoch
from holdfast.live.fold import Board, Gap, apply, differences
from holdfast.live.snapshot import Snapshot, Wanted, take_snapshot
from holdfast.place.places import Places

SETTLE_TRIES_MAX = 100
SETTLE_PAUSE_S = 0.05
VERSIONS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What the events since one snapshot make of a section, and what the next snapshot shows. `section_id`: None
    for the channel as a whole, whose versions are not what they should be."""

    channel: str
    section_id: str | None
    versions: tuple[int, int]
    told: str
    read: str


async def audit_channel(
    db: Database, wanted: Wanted, *, places: Places, between: Callable[[], Awaitable[None]]
) -> list[Mismatch] | None:
    """What is wrong with the channel; None when it could not be told.

    1. Take a snapshot, let things happen (`between`), and take another.
    2. Read the channel's events by all transactions that were under way in that time, in commit order.
    3. Fold them into the first snapshot, as a client does, up to the version of the second.
    4. The two must say the same of every section, at the same version and epoch, and no version is left out.

    It can't be told when the rules of the venue changed, a transaction stayed open for too long, or there were
    more than EVENTS_MAX events.
    """
    before = await db.run(SYSTEM, store.reach)
    first = await take_snapshot(db, wanted, places=places)
    await between()
    second = await take_snapshot(db, wanted, places=places)
    after = await _settled(db)
    if after is None or first.stand.rules_version != second.stand.rules_version:
        return None
    call = db.call(SYSTEM, tenants=[wanted.tenant_id])
    events = await call.run(store.events, wanted, since=before.settled, until=after.unborn)
    if len(events) >= store.EVENTS_MAX:
        return None
    return mismatches(first, events, second)


async def _settled(db: Database) -> store.Reach | None:
    """This moment, once all transactions under way in it are over."""
    moment = await db.run(SYSTEM, store.reach)
    for _ in range(SETTLE_TRIES_MAX):
        if (await db.run(SYSTEM, store.reach)).settled >= moment.unborn:
            return moment
        await asyncio.sleep(SETTLE_PAUSE_S)
    return None


def mismatches(first: Snapshot, events: Sequence[Committed], second: Snapshot) -> list[Mismatch]:
    """Where the second snapshot is not what the events make of the first. Pure."""
    _, _, history = second.stand.epoch.partition("-")
    board, read = Board.of(first), Board.of(second)
    between = [each for each in events if each.version and board.version < each.version <= read.version]
    versions = [each.version for each in between]
    if versions != list(range(board.version + 1, read.version + 1)):
        return [_mismatch(first, second, None, f"versions {_some(versions)}", f"version {read.version}")]
    for event in between:
        try:
            board = apply(board, event, epoch=public_epoch(event.epoch or 0, history))
        except Gap:
            return [_mismatch(first, second, None, f"epoch {event.epoch}", f"epoch {read.epoch}")]
    return [
        _mismatch(first, second, None if section_id is None else str(section_id), str(told), str(seen))
        for section_id, told, seen in differences(board, read)
    ]


def _mismatch(first: Snapshot, second: Snapshot, section_id: str | None, told: str, read: str) -> Mismatch:
    versions = (first.stand.version, second.stand.version)
    return Mismatch(f"{second.venue.id}:{second.slot.channel}", section_id, versions, told, read)


def _some(versions: Sequence[int | None]) -> str:
    shown = ", ".join(map(str, versions[:VERSIONS_SHOWN_MAX]))
    return shown + (" ..." if len(versions) > VERSIONS_SHOWN_MAX else "") or "none"
