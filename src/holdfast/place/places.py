"""Venues at hand: snapshots kept in the process, checked before they decide anything."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextvars import Context
from uuid import UUID

from holdfast.event.model import Event
from holdfast.kernel.actor import SYSTEM, Actor, require_venue
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import NotFound
from holdfast.place import store
from holdfast.place.kept import Kept
from holdfast.place.venue import Venue

VENUES_KEPT_MAX = 10_000
FRESH_S = 2.0
TENANTS_KEPT_MAX = 10_000
DOCUMENTS_SIZE_MAX = 10_000
"""Resources, and date exceptions of hours, in the documents that are kept: some 3 KB each."""


class Places:
    """Snapshots of venues by id, and tenants by slug.

    A snapshot may be up to FRESH_S old for those who only read. Whoever decides on a booking compares
    its `rules_version` inside the transaction and calls `reload` when it is behind.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._venues: OrderedDict[UUID, tuple[float, Venue]] = OrderedDict()
        self._loading: dict[UUID, asyncio.Task[dict[UUID, Venue]]] = {}
        self._tenants: OrderedDict[str, UUID] = OrderedDict()
        self._documents: OrderedDict[UUID, Kept] = OrderedDict()

    async def venue(self, venue_id: UUID) -> Venue:
        """The venue, of whatever tenant. Raises NotFound."""
        kept = self._venues.get(venue_id)
        if kept is not None and time.monotonic() - kept[0] < FRESH_S:
            return kept[1]
        found = await self._load(venue_id)
        if found is None:
            raise NotFound(f"There is no venue {venue_id}.")
        return found

    async def bookable(self, actor: Actor, venue_id: UUID) -> Venue:
        """The venue, if the actor may book there: anybody anonymous, or who belongs to its tenant. Raises NotFound.

        It may be an older snapshot: whoever decides by it checks that.
        """
        venue = self.at_hand(venue_id) or await self.venue(venue_id)
        if actor.kind != "anonymous":
            require_venue(actor, venue.tenant_id, venue.id)
        return venue

    async def _load(self, venue_id: UUID) -> Venue | None:
        # Once for all who ask meanwhile: after a change of a busy venue that is everybody.
        task = self._loading.get(venue_id)
        if task is None:
            work = self._db.run(SYSTEM, self._refreshed, venue_id)
            task = asyncio.get_running_loop().create_task(work, context=Context())
            self._loading[venue_id] = task
            task.add_done_callback(lambda _: self._loading.pop(venue_id, None))
        return (await asyncio.shield(task)).get(venue_id)

    async def _refreshed(self, tx: Tx, venue_id: UUID) -> dict[UUID, Venue]:
        known = self.at_hand(venue_id)
        if known is None or await rules_version(tx, known) != known.rules_version:
            return await self.reload(tx, [venue_id])
        self._keep(known)
        return {venue_id: known}

    def at_hand(self, venue_id: UUID) -> Venue | None:
        """The snapshot kept, however old: for those who check its rules_version."""
        kept = self._venues.get(venue_id)
        return None if kept is None else kept[1]

    async def reload(self, tx: Tx, venue_ids: Collection[UUID]) -> dict[UUID, Venue]:
        """The venues as the transaction sees them, kept from now on. Unknown ones are left out."""
        found = await store.load_venues(tx, venue_ids)
        for venue in found.values():
            self._keep(venue)
        return found

    async def current(self, tx: Tx, venue: Venue) -> Venue:
        """The venue as the transaction sees it: the snapshot given, unless its rules changed since."""
        if await rules_version(tx, venue) == venue.rules_version:
            return venue
        return (await self.reload(tx, [venue.id]))[venue.id]

    async def kept(self, tx: Tx, venue: Venue) -> Kept | None:
        """The venue with all in it as the transaction sees it, None when it is gone. Parsed once for each version of
        its rules, since of a large venue that takes long."""
        version = await rules_version(tx, venue)
        kept = self._documents.pop(venue.id, None)
        if kept is None or kept.rules_version != version:
            kept = await store.read_venue(tx, venue.id)
        if kept is not None:
            self._documents[venue.id] = kept
            while len(self._documents) > 1 and sum(map(_size, self._documents.values())) > DOCUMENTS_SIZE_MAX:
                self._documents.popitem(last=False)
        return kept

    def committed(self, events: Sequence[Event]) -> None:
        """A listener of the database: forgets the venues that these have changed."""
        for event in events:
            if event.event_type.startswith("venue."):
                self.forget(event.subject_id)

    def forget(self, venue_id: UUID) -> None:
        """To be called after the venue was changed."""
        self._loading.pop(venue_id, None)
        self._venues.pop(venue_id, None)

    async def tenant_id(self, slug: str) -> UUID | None:
        """The id of a tenant, None when there is none. Slugs never change, so it is kept for good."""
        if slug in self._tenants:
            return self._tenants[slug]
        tenant = await self._db.run(SYSTEM, store.find_tenant, slug)
        if tenant is None:
            return None
        self._tenants[slug] = tenant.id
        if len(self._tenants) > TENANTS_KEPT_MAX:
            self._tenants.popitem(last=False)
        return tenant.id

    def _keep(self, venue: Venue) -> None:
        kept = self._venues.get(venue.id)
        if kept is not None and kept[1].rules_version > venue.rules_version:
            return  # Read before the change that is kept already.
        self._venues[venue.id] = (time.monotonic(), venue)
        self._venues.move_to_end(venue.id)
        if len(self._venues) > VENUES_KEPT_MAX:
            self._venues.popitem(last=False)


def _size(kept: Kept) -> int:
    return 1 + len(kept.document.resources) + len(kept.document.hours.exceptions)


RULES_VERSION = "SELECT rules_version FROM venue WHERE tenant_id = $1 AND id = $2"


async def rules_version(tx: Tx, venue: Venue) -> int | None:
    """The version that the venue's rules are at by now."""
    return await tx.fetchval(RULES_VERSION, venue.tenant_id, venue.id)
