"""A cache of venues in the process. Decisions check that a cached venue is current before they use it."""

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
from holdfast.kernel.telemetry import ABOUT
from holdfast.place import store
from holdfast.place.kept import Kept
from holdfast.place.venue import Venue

VENUES_KEPT_MAX = 10_000
FRESH_S = 2.0
TENANTS_KEPT_MAX = 10_000
DOCUMENTS_SIZE_MAX = 10_000
"""The most resources and exceptions to the hours in all cached documents together: about 3 KB each."""


class Places:
    """Caches venues by id, and ids of tenants and venues by slug.

    For reads, a cached venue may be up to FRESH_S old. A decision about a booking compares its `rules_version` within
    the transaction, and calls `reload` if it is stale.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._venues: OrderedDict[UUID, tuple[float, Venue]] = OrderedDict()
        self._loading: dict[UUID, asyncio.Task[dict[UUID, Venue]]] = {}
        self._tenants: OrderedDict[str, UUID] = OrderedDict()
        self._by_slug: OrderedDict[tuple[UUID, str], tuple[float, UUID]] = OrderedDict()
        self._documents: OrderedDict[UUID, Kept] = OrderedDict()

    async def venue(self, venue_id: UUID) -> Venue:
        """Returns the venue, of any tenant, at most FRESH_S old. Raises NotFound."""
        note_venue(venue_id)
        kept = self._venues.get(venue_id)
        if kept is not None and time.monotonic() - kept[0] < FRESH_S:
            return kept[1]
        found = await self._load(venue_id)
        if found is None:
            raise NotFound(f"There is no venue {venue_id}.")
        return found

    async def bookable(self, actor: Actor, venue_id: UUID) -> Venue:
        """Returns the venue, if the actor may book there: anonymous callers, and those who belong to its tenant. Raises
        NotFound.

        It may be stale: a decision must check its `rules_version`.
        """
        venue = await self.known(venue_id)
        if actor.kind != "anonymous":
            require_venue(actor, venue.tenant_id, venue.id)
        return venue

    async def known(self, venue_id: UUID) -> Venue:
        """Returns the venue from the cache, however old, or else from the database. Raises NotFound."""
        venue = self.at_hand(venue_id)
        if venue is None:
            return await self.venue(venue_id)
        note_venue(venue_id)
        return venue

    async def _load(self, venue_id: UUID) -> Venue | None:
        # Concurrent callers share one load: after a change to a busy venue, all of them need it at once.
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
        """Returns the cached venue, however old, for callers that check its `rules_version`; None if there is none."""
        kept = self._venues.get(venue_id)
        return None if kept is None else kept[1]

    async def reload(self, tx: Tx, venue_ids: Collection[UUID]) -> dict[UUID, Venue]:
        """Reads the venues in the transaction, caches them, and returns those that exist."""
        found = await store.load_venues(tx, venue_ids)
        for venue in found.values():
            self._keep(venue)
        return found

    async def current(self, tx: Tx, venue: Venue) -> Venue:
        """Returns the venue as the transaction sees it: the given one, unless its rules have changed since."""
        if await rules_version(tx, venue) == venue.rules_version:
            return venue
        return (await self.reload(tx, [venue.id]))[venue.id]

    async def kept(self, tx: Tx, venue: Venue) -> Kept | None:
        """Returns the venue with its whole document, as the transaction sees it; None if it no longer exists. Cached
        per version of its rules, since parsing a large venue takes long."""
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
        """Removes the venues that these events changed from the cache. The database calls it after each commit."""
        for event in events:
            if event.event_type.startswith("venue."):
                self.forget(event.subject_id)

    def forget(self, venue_id: UUID) -> None:
        """Removes the venue from the cache, after a change to it."""
        self._loading.pop(venue_id, None)
        self._venues.pop(venue_id, None)

    async def tenant_id(self, slug: str) -> UUID | None:
        """Returns the id of the tenant; None if there is none. Slugs never change, so a cached id never gets stale."""
        if slug in self._tenants:
            return self._tenants[slug]
        tenant = await self._db.run(SYSTEM, store.find_tenant, slug)
        if tenant is None:
            return None
        self._tenants[slug] = tenant.id
        if len(self._tenants) > TENANTS_KEPT_MAX:
            self._tenants.popitem(last=False)
        return tenant.id

    async def venue_id(self, tenant_id: UUID, slug: str) -> UUID | None:
        """Returns the id of the tenant's venue with that slug; None if there is none."""
        cached = self._by_slug.get((tenant_id, slug))
        if cached is not None and time.monotonic() - cached[0] < FRESH_S:
            return cached[1]
        found = await self._db.call(SYSTEM, tenants=[tenant_id]).run(
            store.find_venue, tenant_id=tenant_id, slug=slug
        )
        if found is not None:
            self._by_slug[tenant_id, slug] = (time.monotonic(), found)
            self._by_slug.move_to_end((tenant_id, slug))
            if len(self._by_slug) > VENUES_KEPT_MAX:
                self._by_slug.popitem(last=False)
        return found

    def _keep(self, venue: Venue) -> None:
        kept = self._venues.get(venue.id)
        if kept is not None and kept[1].rules_version > venue.rules_version:
            return  # this one was read before a change that the cached one has
        self._venues[venue.id] = (time.monotonic(), venue)
        self._venues.move_to_end(venue.id)
        if len(self._venues) > VENUES_KEPT_MAX:
            self._venues.popitem(last=False)


def note_venue(venue_id: UUID) -> None:
    """Notes that the current request, if there is one, uses this venue."""
    about = ABOUT.get()
    if about is not None:
        about.venue_ids.add(venue_id)


def _size(kept: Kept) -> int:
    return 1 + len(kept.document.resources) + len(kept.document.hours.exceptions)


RULES_VERSION = "SELECT rules_version FROM venue WHERE tenant_id = $1 AND id = $2"


async def rules_version(tx: Tx, venue: Venue) -> int | None:
    """Returns the current version of the venue's rules; None if the venue no longer exists."""
    return await tx.fetchval(RULES_VERSION, venue.tenant_id, venue.id)
