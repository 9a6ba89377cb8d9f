"""Looks bookings up by reference, with a short cache."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from holdfast.booking import queries
from holdfast.booking.making.create import BOOKED
from holdfast.booking.model import Booking
from holdfast.event.model import Event
from holdfast.kernel.actor import Actor, is_visible
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import NotFound

KEPT_S = 1.0
KEPT_MAX = 10_000


class ByReference:
    """Looks bookings up by reference and caches them for KEPT_S, so that repeated lookups spare the database.

    Changes made by this process show at once, changes made by other processes after KEPT_S at most. It starts to
    listen for commits at the first lookup: most processes never have one, and their bookings need not pay for it.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: OrderedDict[tuple[UUID, str], tuple[float, Booking]] = OrderedDict()
        self._forgotten = 0

    async def find(self, tenant_id: UUID, reference: str, actor: Actor) -> Booking:
        """Returns the tenant's booking if the actor may see it. Raises NotFound."""
        at = (tenant_id, reference)
        kept = self._kept.get(at)
        if kept is None or time.monotonic() - kept[0] >= KEPT_S:
            kept = await self._find(at, actor)
        if not is_visible(kept[1], actor):
            # The same message as for a booking that does not exist: it must not reveal even the id.
            raise NotFound(f"There is no booking {reference}.")
        return kept[1]

    async def _find(self, at: tuple[UUID, str], actor: Actor) -> tuple[float, Booking]:
        if self._committed not in self._db.after_commit:
            self._db.after_commit.append(self._committed)
        started, forgotten = time.monotonic(), self._forgotten
        found = (started, await self._db.run(actor, queries.find_reference, *at))
        # If a booking changed during the read, the result may be stale: don't cache it.
        if forgotten == self._forgotten:
            self._kept[at] = found
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found

    def _committed(self, events: Sequence[Event]) -> None:
        """Listens to commits and evicts the bookings that changed. Skips new bookings: they can't be cached yet, and
        they are the most frequent events."""
        for event in events:
            if "booking_reference" in event.payload and event.event_type != BOOKED:
                self._forgotten += 1
                self._kept.pop((event.tenant_id, event.payload["booking_reference"]), None)
