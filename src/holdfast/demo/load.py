"""The demo: a chain with five venues to try, each with the ordinary day of its trade."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple
from uuid import UUID

from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.place import store
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import VenueDocument, parse_document
from holdfast.place.document_text import load_text
from holdfast.place.import_venue import import_venue

TENANT = "nordlek"
TENANT_NAME = "Nordlek"
NAMES = ("petanque", "restaurant", "hotel", "nightclub", "sports-hall")
LOAD_DEADLINE_S = 30.0
LOAD_LOCK = 0x64656D6F
"""Advisory lock: two concurrent loads take turns. Not the lock of any venue (those have 64 bits)."""


class Loaded(NamedTuple):
    """A demo venue, and whether this load added it."""

    id: UUID
    slug: str
    name: str
    is_new: bool


def documents() -> list[VenueDocument]:
    """Returns the documents of the demo venues."""
    where = files("holdfast.demo") / "venues"
    return [parse_document(load_text((where / f"{name}.yaml").read_text("utf-8"))) for name in NAMES]


async def load(engine: Engine) -> list[Loaded]:
    """Adds the missing demo venues to the tenant `nordlek`.

    Existing ones are left alone: somebody may have changed or booked them.
    """
    call = engine.db.call(SYSTEM, locks=[LOAD_LOCK], deadline_s=LOAD_DEADLINE_S)
    return [await call.run(_venue, document) for document in documents()]


async def _venue(tx: Tx, document: VenueDocument) -> Loaded:
    tenant = await store.find_tenant(tx, TENANT) or await create_tenant(tx, TENANT, TENANT_NAME)
    found = await store.find_venue(tx, tenant_id=tenant.id, slug=document.slug)
    if found is not None:
        return Loaded(found, document.slug, document.name, is_new=False)
    made = await import_venue(tx, document, tenant=TENANT)
    return Loaded(made.kept.id, document.slug, document.name, made.is_new)
