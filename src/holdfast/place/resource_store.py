"""What is written of resources, and which of them are taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

import orjson

from holdfast.kernel.tx import Tx
from holdfast.place.document import ResourceDocument
from holdfast.place.kept import Edge
from holdfast.place.store import plain_id

PUT_RESOURCES = """
    INSERT INTO resource (tenant_id, id, venue_id, slug, name, kind, zone, seats_min, seats_max, units,
                          buffer_before_minutes, buffer_after_minutes, attributes, position, hours,
                          sort_order, active)
    SELECT $1, r.id, $2, r.slug, r.name, r.kind, r.zone, r.seats_min, r.seats_max, r.units,
           r.buffer_before_minutes, r.buffer_after_minutes, r.attributes,
           r.position, r.hours, r.sort_order, r.active
      FROM jsonb_to_recordset($3::jsonb) AS r (
           id uuid, slug text, name text, kind text, zone text, seats_min integer, seats_max integer,
           units integer, buffer_before_minutes integer, buffer_after_minutes integer, attributes jsonb,
           position jsonb, hours jsonb, sort_order integer, active boolean)
    ON CONFLICT ON CONSTRAINT resource_pkey DO UPDATE
       SET slug = excluded.slug, name = excluded.name, kind = excluded.kind, zone = excluded.zone,
           seats_min = excluded.seats_min, seats_max = excluded.seats_max, units = excluded.units,
           buffer_before_minutes = excluded.buffer_before_minutes,
           buffer_after_minutes = excluded.buffer_after_minutes, attributes = excluded.attributes,
           position = excluded.position, hours = excluded.hours, sort_order = excluded.sort_order,
           active = excluded.active, version = resource.version + 1
"""


async def put_resources(
    tx: Tx, resources: Mapping[UUID, ResourceDocument], *, tenant_id: UUID, venue_id: UUID
) -> None:
    """Writes the resources of a venue, new ones and known ones."""
    if resources:
        rows = [
            {"id": id_, **each.model_dump(mode="json", exclude={"adjacent"})}
            for id_, each in resources.items()
        ]
        await tx.execute(PUT_RESOURCES, tenant_id, venue_id, orjson.dumps(rows).decode())


REMOVE_RESOURCES = """
    UPDATE resource SET removed_at = $3, version = version + 1
     WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND removed_at IS NULL
"""


async def remove_resources(tx: Tx, resource_ids: Collection[UUID], *, tenant_id: UUID) -> None:
    """Takes the resources off their venue; their rows stay for history."""
    if resource_ids:
        await tx.execute(REMOVE_RESOURCES, tenant_id, list(resource_ids), tx.now)


DROP_JOINS = "DELETE FROM resource_join WHERE tenant_id = $1 AND venue_id = $2"
PUT_JOINS = """
    INSERT INTO resource_join (tenant_id, venue_id, a_id, b_id, seats_lost)
    SELECT $1, $2, a_id, b_id, seats_lost
      FROM unnest($3::uuid[], $4::uuid[], $5::integer[]) AS edge (a_id, b_id, seats_lost)
"""


async def replace_joins(tx: Tx, edges: Mapping[Edge, int], *, tenant_id: UUID, venue_id: UUID) -> None:
    """Makes these all the joins of the venue."""
    await tx.execute(DROP_JOINS, tenant_id, venue_id)
    if edges:
        lows, highs = ([edge[end] for edge in edges] for end in (0, 1))
        await tx.execute(PUT_JOINS, tenant_id, venue_id, lows, highs, list(edges.values()))


class InUse(NamedTuple):
    """Standing claims on a resource that are not over, cleaning aside: how many, and the highest unit."""

    claims: int
    unit_max: int


# Served by the index of claim_never_overlaps, which begins with tenant and resource.
RESOURCES_IN_USE = """
    SELECT resource_id, count(*) AS claims, max(unit) AS unit_max
      FROM claim
     WHERE tenant_id = $1 AND resource_id = ANY ($2::uuid[])
       AND during && tstzrange($3, NULL)
       AND (expires_at IS NULL OR expires_at > $3)
       AND owner_kind <> 'cleaning'
     GROUP BY resource_id
"""


async def resources_in_use(tx: Tx, resource_ids: Collection[UUID], *, tenant_id: UUID) -> dict[UUID, InUse]:
    """Those of the resources that somebody holds, now or later."""
    if not resource_ids:
        return {}
    rows = await tx.fetch(RESOURCES_IN_USE, tenant_id, list(resource_ids), tx.now)
    return {plain_id(row["resource_id"]): InUse(row["claims"], row["unit_max"]) for row in rows}
