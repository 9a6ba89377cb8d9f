"""Writes tenants, venues and resources, and finds out which resources are in use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.ids import new_id
from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.kept import Edge, Tenant
from holdfast.place.store import tenant_of

INSERT_TENANT = """
    INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT ON CONSTRAINT tenant_slug_is_unique DO NOTHING
    RETURNING id, slug, name, version, created_at
"""


async def insert_tenant(tx: Tx, *, id: UUID, slug: str, name: str) -> Tenant | None:
    """Writes a new tenant; None if the slug is taken."""
    row = await tx.fetchrow(INSERT_TENANT, id, slug, name, tx.now)
    return None if row is None else tenant_of(row)


INSERT_VENUE = """
    INSERT INTO venue (tenant_id, id, slug, name, kind, timezone, currency, policy, hours, slots,
                       questions, stay, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
    ON CONFLICT ON CONSTRAINT venue_slug_is_unique DO NOTHING
    RETURNING id
"""


async def insert_venue(tx: Tx, document: VenueDocument, *, tenant_id: UUID, id: UUID) -> bool:
    """Writes a new venue without its resources. Returns False and writes nothing if the tenant already has a venue with
    that slug."""
    return await tx.fetchval(INSERT_VENUE, tenant_id, id, *_columns(document), tx.now) is not None


UPDATE_VENUE = """
    UPDATE venue
       SET slug = $3, name = $4, kind = $5, timezone = $6, currency = $7,
           policy = $8, hours = $9, slots = $10, questions = $11, stay = $12,
           version = version + 1, rules_version = rules_version + 1, updated_at = $13
     WHERE tenant_id = $1 AND id = $2
"""


async def update_venue(tx: Tx, document: VenueDocument, *, tenant_id: UUID, id: UUID) -> None:
    """Writes the venue's own fields and rules."""
    await tx.execute(UPDATE_VENUE, tenant_id, id, *_columns(document), tx.now)


TOUCH_VENUE = """
    UPDATE venue SET rules_version = rules_version + 1, updated_at = $3 WHERE tenant_id = $1 AND id = $2
"""


async def touch_venue(tx: Tx, *, tenant_id: UUID, id: UUID) -> None:
    """Increases the rules version after a change of resources, so that no booking is decided with older snapshots."""
    await tx.execute(TOUCH_VENUE, tenant_id, id, tx.now)


def _columns(document: VenueDocument) -> tuple[Any, ...]:
    data = document.model_dump(mode="json", exclude={"resources"})
    own = (data[name] for name in ("slug", "name", "kind", "timezone", "currency"))
    rules = (orjson.dumps(data[name]).decode() for name in ("policy", "hours", "slots", "questions"))
    stay = None if document.stay is None else document.stay.model_dump_json()
    return (*own, *rules, stay)


PUT_RESOURCES = """
    INSERT INTO resource (tenant_id, id, venue_id, slug, name, kind, zone, seats_min, seats_max, units,
                          buffer_before_minutes, buffer_after_minutes, attributes, position, hours,
                          sort_order, active, takes, group_slug, part_ids, minimum_spend)
    SELECT $1, r.id, $2, r.slug, r.name, r.kind, r.zone, r.seats_min, r.seats_max, r.units,
           r.buffer_before_minutes, r.buffer_after_minutes, r.attributes,
           r.position, r.hours, r.sort_order, r.active, r.takes, r."group",
           ARRAY(SELECT jsonb_array_elements_text(r.part_ids)::uuid), r.minimum_spend
      FROM jsonb_to_recordset($3::jsonb) AS r (
           id uuid, slug text, name text, kind text, zone text, seats_min integer, seats_max integer,
           units integer, buffer_before_minutes integer, buffer_after_minutes integer, attributes jsonb,
           position jsonb, hours jsonb, sort_order integer, active boolean, takes text, "group" text,
           part_ids jsonb, minimum_spend numeric)
    ON CONFLICT ON CONSTRAINT resource_pkey DO UPDATE
       SET slug = excluded.slug, name = excluded.name, kind = excluded.kind, zone = excluded.zone,
           seats_min = excluded.seats_min, seats_max = excluded.seats_max, units = excluded.units,
           buffer_before_minutes = excluded.buffer_before_minutes,
           buffer_after_minutes = excluded.buffer_after_minutes, attributes = excluded.attributes,
           position = excluded.position, hours = excluded.hours, sort_order = excluded.sort_order,
           active = excluded.active, takes = excluded.takes, group_slug = excluded.group_slug,
           part_ids = excluded.part_ids, minimum_spend = excluded.minimum_spend, version = resource.version + 1
"""


async def put_resources(
    tx: Tx,
    resources: Mapping[UUID, ResourceDocument],
    *,
    ids: Mapping[str, UUID],
    tenant_id: UUID,
    venue_id: UUID,
) -> None:
    """Inserts or updates resources of a venue. `ids`: of all of its resources, by slug."""
    if resources:
        rows = [
            {
                "id": id_,
                **each.model_dump(mode="json", exclude={"adjacent", "parts"}),
                "part_ids": [ids[part] for part in each.parts],
            }
            for id_, each in resources.items()
        ]
        await tx.execute(PUT_RESOURCES, tenant_id, venue_id, orjson.dumps(rows).decode())


REMOVE_RESOURCES = """
    UPDATE resource SET removed_at = $3, version = version + 1
     WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND removed_at IS NULL
"""


async def remove_resources(tx: Tx, resource_ids: Collection[UUID], *, tenant_id: UUID) -> None:
    """Marks the resources as removed; their rows stay for history."""
    if resource_ids:
        await tx.execute(REMOVE_RESOURCES, tenant_id, list(resource_ids), tx.now)


DROP_JOINS = "DELETE FROM resource_join WHERE tenant_id = $1 AND venue_id = $2"
PUT_JOINS = """
    INSERT INTO resource_join (tenant_id, venue_id, a_id, b_id, seats_lost)
    SELECT $1, $2, a_id, b_id, seats_lost
      FROM unnest($3::uuid[], $4::uuid[], $5::integer[]) AS edge (a_id, b_id, seats_lost)
"""


async def replace_joins(tx: Tx, edges: Mapping[Edge, int], *, tenant_id: UUID, venue_id: UUID) -> None:
    """Replaces all joins of the venue by these."""
    await tx.execute(DROP_JOINS, tenant_id, venue_id)
    if edges:
        lows, highs = ([edge[end] for edge in edges] for end in (0, 1))
        await tx.execute(PUT_JOINS, tenant_id, venue_id, lows, highs, list(edges.values()))


async def emit_about(
    tx: Tx, event_type: str, payload: dict[str, Any], *, tenant_id: UUID, venue_id: UUID | None = None
) -> None:
    """Emits an event about a change of the venue, or of the tenant itself."""
    event = Event(
        id=new_id(),
        tenant_id=tenant_id,
        event_type=event_type,
        venue_id=venue_id,
        subject_id=venue_id or tenant_id,
        payload=payload,
        actor=str(tx.actor),
        created_at=tx.now,
    )
    await emit(tx, [event])


class InUse(NamedTuple):
    """The claims on a resource that are not over, without expired and cleaning ones: their number, the largest number
    at any instant, and the number of those of bookings that were promised its type."""

    claims: int
    at_once: int
    unbound: int


# Served by the index of claim_never_overlaps, which begins with tenant and resource.
RESOURCES_IN_USE = """
    WITH taken AS (
        SELECT resource_id, owner_kind, step, sum(step) OVER (PARTITION BY resource_id ORDER BY at, step) AS units
          FROM claim, LATERAL (VALUES (lower(during), 1), (upper(during), -1)) AS change (at, step)
         WHERE tenant_id = $1 AND resource_id = ANY ($2::uuid[])
           AND during && tstzrange($3, NULL)
           AND (expires_at IS NULL OR expires_at > $3)
           AND owner_kind <> 'cleaning'
    )
    SELECT resource_id, count(*) FILTER (WHERE step = 1) AS claims, max(units) AS at_once,
           count(*) FILTER (WHERE step = 1 AND owner_kind = 'unbound') AS unbound
      FROM taken GROUP BY resource_id
"""


# One search of the ledger for each leaf; only the owners found there are looked at.
WHOLES_IN_USE = """
    SELECT asked.whole_id, count(DISTINCT c.owner_id) AS owners
      FROM unnest($2::uuid[], $3::uuid[]) AS asked (whole_id, leaf_id),
           LATERAL (SELECT claim.owner_id FROM claim
                     WHERE claim.tenant_id = $1 AND claim.resource_id = asked.leaf_id
                       AND claim.during && tstzrange($4, NULL)
                       AND (claim.expires_at IS NULL OR claim.expires_at > $4)
                       AND claim.owner_kind <> 'cleaning' OFFSET 0) AS c
     WHERE EXISTS (SELECT FROM booking WHERE booking.tenant_id = $1 AND booking.id = c.owner_id
                      AND booking.resource_ids @> ARRAY[asked.whole_id])
        OR EXISTS (SELECT FROM block WHERE block.tenant_id = $1 AND block.id = c.owner_id
                      AND block.resource_ids @> ARRAY[asked.whole_id])
     GROUP BY asked.whole_id
"""


async def wholes_in_use(
    tx: Tx, leaves: Mapping[UUID, Collection[UUID]], *, tenant_id: UUID
) -> dict[UUID, int]:
    """Returns those of the wholes that are booked or blocked as a whole, now or later, and by how many bookings and
    blocks. `leaves`: the leaves of each whole."""
    pairs = [(whole, leaf) for whole, of in leaves.items() for leaf in of]
    if not pairs:
        return {}
    whole_ids, leaf_ids = zip(*pairs, strict=True)
    rows = await tx.fetch(WHOLES_IN_USE, tenant_id, whole_ids, leaf_ids, tx.now)
    return {plain_id(row["whole_id"]): row["owners"] for row in rows}


async def resources_in_use(tx: Tx, resource_ids: Collection[UUID], *, tenant_id: UUID) -> dict[UUID, InUse]:
    """Returns those of the resources that are in use, now or later."""
    if not resource_ids:
        return {}
    rows = await tx.fetch(RESOURCES_IN_USE, tenant_id, list(resource_ids), tx.now)
    return {
        plain_id(row["resource_id"]): InUse(row["claims"], row["at_once"], row["unbound"]) for row in rows
    }
