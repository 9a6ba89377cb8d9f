"""Reads tenants, venues and resources. Each venue is read completely in one statement, so that no reader sees half
of a change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import orjson

from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.text import STORED, natural
from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.kept import Kept, ResourceKey, Tenant
from holdfast.place.venue import Venue

FIND_TENANT = "SELECT id, slug, name, version, created_at FROM tenant WHERE slug = $1"


async def find_tenant(tx: Tx, slug: str) -> Tenant | None:
    """Returns the tenant with that slug, if tx may see it."""
    row = await tx.fetchrow(FIND_TENANT, slug)
    return None if row is None else tenant_of(row)


GET_TENANT = "SELECT id, slug, name, version, created_at FROM tenant WHERE id = $1"


async def get_tenant(tx: Tx, tenant_id: UUID) -> Tenant | None:
    """Returns the tenant with that id, if tx may see it."""
    row = await tx.fetchrow(GET_TENANT, tenant_id)
    return None if row is None else tenant_of(row)


READ_VENUES = """
    SELECT v.tenant_id, t.slug AS tenant_slug, v.id, v.slug, v.name, v.kind, v.timezone, v.currency,
           v.policy, v.hours, v.slots, v.questions, v.stay, v.version, v.rules_version, v.created_at, v.updated_at,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', r.id, 'version', r.version, 'slug', r.slug, 'name', r.name, 'kind', r.kind,
                       'zone', r.zone, 'seats_min', r.seats_min, 'seats_max', r.seats_max, 'units', r.units,
                       'buffer_before_minutes', r.buffer_before_minutes,
                       'buffer_after_minutes', r.buffer_after_minutes, 'attributes', r.attributes,
                       'position', r.position, 'hours', r.hours, 'sort_order', r.sort_order,
                       'active', r.active, 'takes', r.takes, 'group', r.group_slug,
                       'parts', r.part_ids, 'minimum_spend', r.minimum_spend::text)), '[]')
              FROM resource r
             WHERE r.tenant_id = v.tenant_id AND r.venue_id = v.id AND r.removed_at IS NULL) AS resources,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(j.a_id, j.b_id, j.seats_lost)), '[]')
              FROM resource_join j
             WHERE j.tenant_id = v.tenant_id AND j.venue_id = v.id) AS joins
      FROM venue v
      JOIN tenant t ON t.id = v.tenant_id
     WHERE v.id = ANY ($1::uuid[])
"""


async def read_venues(tx: Tx, venue_ids: Collection[UUID]) -> dict[UUID, Kept]:
    """Returns the venues with everything in them; leaves out those that don't exist or that tx may not see."""
    rows = await tx.fetch(READ_VENUES, list(venue_ids))
    return {kept.id: kept for kept in map(_kept, rows)}


async def read_venue(tx: Tx, venue_id: UUID) -> Kept | None:
    """Returns the venue with everything in it; None if it does not exist or tx may not see it."""
    return (await read_venues(tx, [venue_id])).get(venue_id)


async def load_venues(tx: Tx, venue_ids: Collection[UUID]) -> dict[UUID, Venue]:
    """Returns the venues in the form that bookings are decided with; leaves out those that don't exist or that tx may
    not see."""
    return {id_: kept.snapshot() for id_, kept in (await read_venues(tx, venue_ids)).items()}


FIND_VENUE = "SELECT id FROM venue WHERE tenant_id = $1 AND slug = $2"


async def find_venue(tx: Tx, *, tenant_id: UUID, slug: str) -> UUID | None:
    """Returns the id of the tenant's venue with that slug."""
    found = await tx.fetchval(FIND_VENUE, tenant_id, slug)
    return None if found is None else plain_id(found)


# Without "removed_at IS NULL": with it, a cached plan might choose the partial index of resources that were not
# removed, and read all of it.
FIND_RESOURCE = "SELECT tenant_id, venue_id, removed_at FROM resource WHERE id = $1"


async def find_resource(tx: Tx, resource_id: UUID) -> tuple[UUID, UUID] | None:
    """Returns (tenant, venue) of a resource; None if it was removed."""
    row = await tx.fetchrow(FIND_RESOURCE, resource_id)
    if row is None or row["removed_at"] is not None:
        return None
    return plain_id(row["tenant_id"]), plain_id(row["venue_id"])


_LISTED = """
    SELECT v.id, t.slug AS tenant, v.slug, v.name, v.kind, v.timezone, v.currency,
           v.version, v.created_at, v.updated_at
      FROM venue v
      JOIN tenant t ON t.id = v.tenant_id
     WHERE v.id > $1 AND ($2::uuid[] IS NULL OR v.id = ANY ($2))"""
LIST_VENUES = f"{_LISTED} AND v.tenant_id = $4 ORDER BY v.id LIMIT $3"
LIST_ALL_VENUES = f"{_LISTED} ORDER BY v.id LIMIT $3"
NIL = UUID(int=0)


async def list_venues(
    tx: Tx, *, tenant_id: UUID | None, venue_ids: Collection[UUID] | None, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Returns up to `limit` venues after `after`, oldest first, with the fields of `VenueListed`. None for
    `tenant_id` or `venue_ids`: all that tx may see."""
    venues = None if venue_ids is None else list(venue_ids)
    page = (after or NIL, venues, limit)
    if tenant_id is None:
        rows = await tx.fetch(LIST_ALL_VENUES, *page)
    else:
        rows = await tx.fetch(LIST_VENUES, *page, tenant_id)
    return [dict(row) for row in rows]


def tenant_of(row: Any) -> Tenant:
    """Builds a tenant from a row with all columns of the table."""
    return Tenant(**{**row, "id": plain_id(row["id"])})


def _kept(row: Any) -> Kept:
    resources: list[dict[str, Any]] = orjson.loads(row["resources"])
    slugs: dict[str, str] = {each["id"]: each["slug"] for each in resources}
    adjacent = _adjacent(orjson.loads(row["joins"]), slugs)
    keys = {each["slug"]: ResourceKey(UUID(each.pop("id")), each.pop("version")) for each in resources}
    for each in resources:
        each["adjacent"] = adjacent.get(each["slug"], ())
        each["parts"] = tuple(slugs[part] for part in each["parts"])
    documents = [ResourceDocument.model_validate(each, context=STORED) for each in resources]
    documents.sort(key=lambda each: (each.sort_order, natural(each.slug)))
    own = {name: row[name] for name in ("slug", "name", "kind", "timezone", "currency")}
    named = ("policy", "hours", "slots", "questions", "stay")
    rules = {name: orjson.loads(row[name]) for name in named if row[name] is not None}
    return Kept(
        id=plain_id(row["id"]),
        tenant_id=plain_id(row["tenant_id"]),
        tenant_slug=row["tenant_slug"],
        document=VenueDocument.model_validate(own | rules | {"resources": tuple(documents)}, context=STORED),
        keys=keys,
        version=row["version"],
        rules_version=row["rules_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _adjacent(joins: list[Any], slugs: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The joins in the form of documents: each once, at the neighbour whose slug sorts first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for a_id, b_id, seats_lost in joins:
        low, high = sorted((slugs[a_id], slugs[b_id]))
        found.setdefault(low, []).append({"slug": high, "seats_lost": seats_lost})
    for each in found.values():
        each.sort(key=lambda neighbour: neighbour["slug"])
    return found
