"""Looks at some channels now and then, and says so loudly when a stream does not tell what snapshots show."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from holdfast.channel.names import slot_of
from holdfast.kernel.db import Database
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import stack_of
from holdfast.live.audit_channel import audit_channel
from holdfast.live.snapshot import Wanted
from holdfast.live.snapshot_metrics import AUDITED, MISMATCHES
from holdfast.live.snapshots import Snapshots
from holdfast.place.places import Places

PERIOD_S = 10.0
WATCHED_S = 2.0
"""How long a channel is looked at."""
SAMPLE_MAX = 3
LOGGED_MAX = 20

log = structlog.get_logger(__name__)


class Auditor:
    """A task that audits up to SAMPLE_MAX of the channels that this process shows, every PERIOD_S or so."""

    def __init__(
        self,
        db: Database,
        places: Places,
        snapshots: Snapshots,
        *,
        period_s: float = PERIOD_S,
        watch: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(WATCHED_S),
    ) -> None:
        self._db = db
        self._places = places
        self._snapshots = snapshots
        self._period_s = period_s
        self._watch = watch
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins; to be stopped with `stop`."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Ends at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # Not all processes at once.
            await asyncio.sleep(self._period_s * random.uniform(0.5, 1.5))
            await self.audit()

    async def audit(self) -> int:
        """Audits a sample, one after the other; answers how many mismatches there were."""
        shown = self._snapshots.floors.channels()
        found = 0
        for venue_id, channel in random.sample(shown, min(SAMPLE_MAX, len(shown))):
            try:
                found += await self._audit(venue_id, channel)
            except HoldfastError as error:
                AUDITED.labels("unknown").inc()
                log.info("live_not_audited", channel=f"{venue_id}:{channel}", error=error.code)
            except Exception as error:
                AUDITED.labels("unknown").inc()
                log.error("live_audit_failed", channel=f"{venue_id}:{channel}", stack=stack_of(error))
        return found

    async def _audit(self, venue_id: UUID, channel: str) -> int:
        slot = slot_of(channel)
        if slot is None:
            return 0
        venue = await self._places.venue(venue_id)
        wanted = Wanted(venue.tenant_id, venue_id, *slot)
        found = await audit_channel(self._db, wanted, places=self._places, between=self._watch)
        AUDITED.labels("unknown" if found is None else "differs" if found else "agrees").inc()
        for each in (found or ())[:LOGGED_MAX]:
            log.error(
                "live_mismatch",
                channel=each.channel,
                section_id=each.section_id,
                versions=each.versions,
                told=each.told,
                read=each.read,
            )
        MISMATCHES.inc(len(found or ()))
        return len(found or ())
