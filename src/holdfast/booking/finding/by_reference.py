"""Bookings by their reference, kept for a moment."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from holdfast.booking import access, store
from holdfast.booking.making.create import BOOKED
from holdfast.booking.model import Booking
from holdfast.event.model import Event
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import NotFound

KEPT_S = 1.0
KEPT_MAX = 10_000


class ByReference:
    """A look-up by reference that spares the database when the same one is asked for again and again.

    A change made in this process is seen at once, one made in another after at most KEPT_S. It listens to what this
    process commits from the first look-up on: most processes have none, and bookings need not wait for that.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: OrderedDict[tuple[UUID, str], tuple[float, Booking]] = OrderedDict()
        self._forgotten = 0

    async def find(self, tenant_id: UUID, reference: str, actor: Actor) -> Booking:
        """The tenant's booking, if the actor may see it. Raises NotFound."""
        at = (tenant_id, reference)
        kept = self._kept.get(at)
        if kept is None or time.monotonic() - kept[0] >= KEPT_S:
            kept = await self._find(at, actor)
        if not access.is_visible(kept[1], actor):
            raise NotFound(f"There is no booking {reference}.")  # as if there were none: not even its id
        return kept[1]

    async def _find(self, at: tuple[UUID, str], actor: Actor) -> tuple[float, Booking]:
        if self._committed not in self._db.after_commit:
            self._db.after_commit.append(self._committed)
        started, forgotten = time.monotonic(), self._forgotten
        found = (started, await self._db.run(actor, store.find_reference, *at))
        # What was read while something changed may be what it was before.
        if forgotten == self._forgotten:
            self._kept[at] = found
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found

    def _committed(self, events: Sequence[Event]) -> None:
        """A listener of the database: forgets the bookings that these have changed. A new one nobody can have read
        before, and there are many."""
        for event in events:
            if "booking_reference" in event.payload and event.event_type != BOOKED:
                self._forgotten += 1
                self._kept.pop((event.tenant_id, event.payload["booking_reference"]), None)
