"""Audits a sample of channels periodically: logs an error when a channel's events disagree with its snapshots."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import structlog

from holdfast.channel.names import public_epoch, slot_of
from holdfast.event.model import Committed
from holdfast.event.number import Numberer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import stack_of
from holdfast.live import store
from holdfast.live.fold import Board, Gap, apply, differences
from holdfast.live.metrics import AUDITED, MISMATCHES
from holdfast.place.places import Places
from holdfast.snapshot.snapshots import Snapshots
from holdfast.snapshot.take import SlotKey, Snapshot, take_snapshot

PERIOD_S = 10.0
WATCH_S = 2.0
"""Time between the two snapshots of an audit."""
SAMPLE_MAX = 3
LOGGED_MAX = 20
NUMBERING_TRIES_MAX = 100
NUMBERING_PAUSE_S = 0.05
VERSIONS_SHOWN_MAX = 20

log = structlog.get_logger(__name__)


class Auditor:
    """A task that audits up to SAMPLE_MAX of the channels this process serves, about every PERIOD_S seconds."""

    def __init__(
        self,
        db: Database,
        places: Places,
        snapshots: Snapshots,
        *,
        watch: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(WATCH_S),
    ) -> None:
        self._db = db
        self._places = places
        self._snapshots = snapshots
        self._watch = watch
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task; `stop` ends it."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Cancels the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # Jitter: processes must not audit in step.
            await asyncio.sleep(PERIOD_S * random.uniform(0.5, 1.5))
            await self.audit()

    async def audit(self) -> int:
        """Audits a random sample of channels, one at a time; returns the number of mismatches."""
        shown = self._snapshots.floors.channels()
        total = 0
        for venue_id, channel in random.sample(shown, min(SAMPLE_MAX, len(shown))):
            try:
                total += await self._audit(venue_id, channel)
            except HoldfastError as error:
                AUDITED.labels("unknown").inc()
                log.info("live_not_audited", channel=f"{venue_id}:{channel}", error=error.code)
            except Exception as error:
                AUDITED.labels("unknown").inc()
                log.error("live_audit_failed", channel=f"{venue_id}:{channel}", stack=stack_of(error))
        return total

    async def _audit(self, venue_id: UUID, channel: str) -> int:
        slot = slot_of(channel)
        if slot is None:
            return 0
        venue = await self._places.venue(venue_id)
        wanted = SlotKey(venue.tenant_id, venue_id, *slot)
        mismatched = await audit_channel(self._db, wanted, places=self._places, between=self._watch)
        AUDITED.labels("unknown" if mismatched is None else "differs" if mismatched else "agrees").inc()
        for mismatch in (mismatched or ())[:LOGGED_MAX]:
            log.error("live_mismatch", **asdict(mismatch))
        MISMATCHES.inc(len(mismatched or ()))
        return len(mismatched or ())


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A section whose state, computed from a snapshot and later events, differs from the next snapshot.

    `told`: the state computed from the events; `read`: the state in the later snapshot. `section_id`: None when the
    channel's versions or epochs are wrong, not a section. `versions`: of the two snapshots.
    """

    channel: str
    section_id: str | None
    versions: tuple[int, int]
    told: str
    read: str


async def audit_channel(
    db: Database, wanted: SlotKey, *, places: Places, between: Callable[[], Awaitable[None]]
) -> list[Mismatch] | None:
    """Returns the channel's mismatches; None when the audit is inconclusive.

    1. Take a snapshot, wait (`between`), and take another.
    2. Number all events committed so far, and read the channel's events since before the first snapshot.
    3. Apply them to the first snapshot, as a client does, up to the version of the second.
    4. Both must agree on every section, on the version and on the epoch, and no version may be missing.

    It is inconclusive when the venue's rules changed, when other processes held up the numbering of events for too
    long, or when there were EVENTS_MAX events or more.
    """
    numberer = Numberer(db)
    before = await numberer.number()
    first = await take_snapshot(db, wanted, places=places)
    await between()
    second = await take_snapshot(db, wanted, places=places)
    if not await _all_numbered(numberer) or first.revision.rules_version != second.revision.rules_version:
        return None
    call = db.call(SYSTEM, tenants=[wanted.tenant_id])
    events = await call.run(store.events, wanted, after=before.head)
    if len(events) >= store.EVENTS_MAX:
        return None
    return mismatches(first, events, second)


async def _all_numbered(numberer: Numberer) -> bool:
    """Returns True once every event committed so far has its position, False if that takes too many tries."""
    for _ in range(NUMBERING_TRIES_MAX):
        if (await numberer.number()).is_complete:
            return True
        await asyncio.sleep(NUMBERING_PAUSE_S)
    return False


def mismatches(first: Snapshot, events: Sequence[Committed], second: Snapshot) -> list[Mismatch]:
    """Returns where the first snapshot plus the events differs from the second. Pure."""
    _, _, history = second.revision.epoch.partition("-")
    board, read = Board.of(first), Board.of(second)
    between = [event for event in events if event.version and board.version < event.version <= read.version]
    versions = [event.version for event in between]
    if versions != list(range(board.version + 1, read.version + 1)):
        return [_mismatch(first, second, None, f"versions {_some(versions)}", f"version {read.version}")]
    for event in between:
        try:
            board = apply(board, event, epoch=public_epoch(event.epoch or 0, history))
        except Gap:
            return [_mismatch(first, second, None, f"epoch {event.epoch}", f"epoch {read.epoch}")]
    return [
        _mismatch(first, second, None if section_id is None else str(section_id), str(streamed), str(seen))
        for section_id, streamed, seen in differences(board, read)
    ]


def _mismatch(
    first: Snapshot, second: Snapshot, section_id: str | None, streamed: str, read: str
) -> Mismatch:
    versions = (first.revision.version, second.revision.version)
    return Mismatch(f"{second.venue.id}:{second.slot.channel}", section_id, versions, streamed, read)


def _some(versions: Sequence[int | None]) -> str:
    shown = ", ".join(map(str, versions[:VERSIONS_SHOWN_MAX]))
    return shown + (" ..." if len(versions) > VERSIONS_SHOWN_MAX else "") or "none"
