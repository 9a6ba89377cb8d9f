"""Creates a venue with everything in it from a document, or updates an existing one and writes only what differs."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from pydantic import ValidationError

from holdfast.kernel.body import invalid_request
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Forbidden, VersionConflict
from holdfast.place import store
from holdfast.place.changes.amend import WRITTEN, Amended, Amending
from holdfast.place.changes.settle import with_holidays
from holdfast.place.document import VenueDocument
from holdfast.place.kept import Kept, Tenant
from holdfast.place.reach import check_version, own_tenant, own_venue


class Seen(NamedTuple):
    """The version that the caller saw: of the venue and, from the ETag of its document, of everything in it."""

    version: int
    rules_version: int | None = None


class Imported(NamedTuple):
    """The venue before and after the import, and whether it is new."""

    amended: Amended
    is_new: bool

    @property
    def kept(self) -> Kept:
        """The venue after the import."""
        return self.amended.after


async def import_venue(
    tx: Tx,
    document: VenueDocument,
    *,
    tenant: str | None = None,
    seen: Seen | None = None,
    amending: Amending = WRITTEN,
) -> Imported:
    """Imports the document into the tenant with that slug (None: the actor's own).

    1. If the tenant has no venue with the document's slug, it is created.
    2. Otherwise the venue is changed to match the document. Resources are matched by slug and keep their ids;
       resources that are not in the document are removed. Holidays that were added by a call stay, unless the
       document names their date. An identical document changes nothing.

    `seen`: the version that the venue must still have; None: any. `amending`: `FORESEEN` only says what would change.
    Raises `InvalidRequest` if that would remove a resource, or units of one, that are in use now or later;
    `Forbidden` if the venue is new and the actor is limited to certain venues; `NotFound`; `VersionConflict`.
    """
    owner = await own_tenant(tx, tenant)
    venue_id = await store.find_venue(tx, tenant_id=owner.id, slug=document.slug)
    if venue_id is None:
        made = await _create(tx, document, owner, seen=seen, amending=amending)
        if made is not None:
            return Imported(made, is_new=True)
        # Another transaction has just created it. The INSERT waited for its commit, so the venue can be read now.
        venue_id = await store.find_venue(tx, tenant_id=owner.id, slug=document.slug)
        assert venue_id is not None
    return Imported(await _replace(tx, document, venue_id, seen=seen, amending=amending), is_new=False)


async def _create(
    tx: Tx, document: VenueDocument, owner: Tenant, *, seen: Seen | None, amending: Amending
) -> Amended | None:
    if tx.actor.venue_ids is not None:
        raise Forbidden("You can change the venues you are limited to, but you can't add one.")
    if seen is not None:
        raise VersionConflict(f"There is no venue {document.slug} yet: omit If-Match to create it.")
    return await amending.create(tx, document, owner)


async def _replace(
    tx: Tx, document: VenueDocument, venue_id: UUID, *, seen: Seen | None, amending: Amending
) -> Amended:
    # The lock is taken only here, because the id was not known earlier. Statements after it see everything that was
    # committed under the lock before.
    await amending.lock(tx, venue_id)
    kept = await own_venue(tx, venue_id)
    if seen is not None:
        check_version(kept.version, seen.version)
        if seen.rules_version not in (None, kept.rules_version):
            raise VersionConflict(
                "Something at this venue changed after that document was read: read it again and repeat the change.",
                current_version=kept.version,
            )
    return await amending.change(tx, kept, _with_holidays(document, kept), ids=kept.ids)


def _with_holidays(document: VenueDocument, kept: Kept) -> VenueDocument:
    try:
        return with_holidays(document, kept.document)
    except ValidationError as exc:
        raise invalid_request(exc) from exc
