"""The statements on table `booking` and its history. Only this noun writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from holdfast.booking.model import Booking, Details, Guest, Step
from holdfast.booking.states import Status
from holdfast.event.emit import emit_from
from holdfast.kernel.db.tx import Tx, encode_text, plain_id
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.place.venue import Venue
from holdfast.port.pricing import Price

# A booking's values are flattened into its row, and only here: column -> path of attributes.
_GUEST = tuple(each.name for each in fields(Guest))
_PRICE = ("base_minor", "tax_minor", "discount_minor", "currency", "price_source")  # in the order of `Price`
_DETAILS = tuple(each.name for each in fields(Details))
_VALUES = {
    **{f"guest_{name}": f"guest.{name}" for name in _GUEST},
    **{name: f"price.{name.removeprefix('price_')}" for name in _PRICE},
    "total_minor": "total_minor",
    **{name: f"details.{name}" for name in _DETAILS},
}
_OWN = [each.name for each in fields(Booking) if each.name not in ("guest", "price", "details")]
COLUMNS = (*_OWN, *_VALUES)
_flat = attrgetter(*_OWN, *_VALUES.values())
_NAMES = ", ".join(COLUMNS)
# hold_ip is read as the text it was given as: inet would come back as an address object.
READ_COLUMNS = ", ".join("host(hold_ip) AS hold_ip" if name == "hold_ip" else name for name in COLUMNS)
_FIXED = {"tenant_id", "id", "venue_id", "reference", "created_at", "idempotency_key"}
_IDS = ("tenant_id", "id", "venue_id", "shared_facility_owner_tenant_id")
_CHANGES = ", ".join(f"{name} = new.{name}" for name in COLUMNS if name not in _FIXED)


def row(booking: Booking) -> dict[str, Any]:
    """The booking's columns: an element of the array that `insert_from` and SAVE write."""
    return dict(zip(COLUMNS, _flat(booking), strict=True))


def changed_columns(before: Booking, after: Booking) -> list[str]:
    """The columns in which they differ, the version and its time left out."""
    pairs = zip(COLUMNS, _flat(before), _flat(after), strict=True)
    return sorted(name for name, was, is_ in pairs if was != is_ and name not in ("version", "updated_at"))


def insert_from(parameter: str) -> str:
    """The INSERT that writes bookings given as one JSON array in the named parameter."""
    return f"""
    INSERT INTO booking ({_NAMES})
    SELECT {_NAMES} FROM json_populate_recordset(NULL::booking, {parameter}::text::json)"""


def history_from(parameter: str) -> str:
    """The INSERT that writes history rows given as one JSON array in the named parameter."""
    return f"""
    INSERT INTO booking_history (tenant_id, booking_id, version, from_status, to_status, actor, action,
                                 reason, metadata, created_at)
    SELECT tenant_id, booking_id, version, from_status, to_status, actor, action, reason, metadata, created_at
      FROM json_populate_recordset(NULL::booking_history, {parameter}::text::json)"""


# Zero rows updated for a booking means that somebody changed it since it was read.
SAVE = f"""
    WITH saved AS (
        UPDATE booking SET {_CHANGES}
          FROM json_populate_recordset(NULL::booking, $1::text::json) AS new
         WHERE booking.tenant_id = new.tenant_id AND booking.id = new.id
           AND booking.version = new.version - 1
     RETURNING booking.id
    ), history AS ({history_from("$2")}
    ), {emit_from("$3")}
    SELECT count(*) FROM saved
"""


async def save(tx: Tx, steps: Sequence[Step]) -> None:
    """Writes the bookings one version on, with their history and events. Raises VersionConflict."""
    if not steps:
        return
    saved = await tx.fetchval(
        SAVE,
        encode_text([row(step.booking) for step in steps]),
        encode_text([step.history() for step in steps]),
        tx.emitting([step.event() for step in steps]),
    )
    if saved != len(steps):
        raise VersionConflict


FIND = f"SELECT {READ_COLUMNS} FROM booking WHERE id = $1"


async def find(tx: Tx, booking_id: UUID) -> Booking:
    """The booking, for those who do not know its tenant yet. Raises NotFound."""
    return _found(await tx.fetchrow(FIND, booking_id), booking_id)


GET = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = $1 AND id = $2"
GET_FOR_UPDATE = f"{GET} FOR UPDATE"


async def get(tx: Tx, tenant_id: UUID, booking_id: UUID, *, for_update: bool = False) -> Booking:
    """The tenant's booking, locked against other changes if asked. Raises NotFound."""
    sql = GET_FOR_UPDATE if for_update else GET
    return _found(await tx.fetchrow(sql, tenant_id, booking_id), booking_id)


# ANY: to a plan made for a small table, all bookings of one tenant would look as good.
FIND_REFERENCE = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = ANY ($1::uuid[]) AND reference = $2"


async def find_reference(tx: Tx, tenant_id: UUID, reference: str) -> Booking:
    """The tenant's booking with that reference. Raises NotFound."""
    return _found(await tx.fetchrow(FIND_REFERENCE, [tenant_id], reference), reference)


def _found(row: asyncpg.Record | None, name: object) -> Booking:
    if row is None:
        raise NotFound(f"There is no booking {name}.")
    return from_row(row)


HISTORY = """
    SELECT from_status, to_status, actor, action, reason, metadata, created_at, version
      FROM booking_history
     WHERE tenant_id = $1 AND booking_id = $2 AND version > $3
     ORDER BY version
     LIMIT $4
"""


async def history(tx: Tx, booking: Booking, *, after: int, limit: int) -> list[asyncpg.Record]:
    """Its audit trail, oldest first."""
    return await tx.fetch(HISTORY, booking.tenant_id, booking.id, after, limit)


DUE_VENUES = """
    SELECT tenant_id, venue_id FROM (
        SELECT tenant_id, venue_id, due_at FROM booking
         WHERE due_at <= $1 AND status = ANY ($2::text[])
         ORDER BY due_at
         LIMIT $3) AS due
     GROUP BY tenant_id, venue_id
     ORDER BY min(due_at)
"""


async def due_venues(tx: Tx, statuses: Sequence[Status], *, limit: int) -> list[tuple[UUID, UUID]]:
    """The venues, as (tenant, venue), of the `limit` bookings that are longest overdue, theirs first."""
    rows = await tx.fetch(DUE_VENUES, tx.now, list(statuses), limit)
    return [(plain_id(row["tenant_id"]), plain_id(row["venue_id"])) for row in rows]


DUE = f"""
    SELECT {READ_COLUMNS} FROM booking
     WHERE due_at <= $1 AND status = ANY ($2::text[]) AND venue_id = ANY ($4::uuid[])
     ORDER BY due_at
     LIMIT $3
       FOR UPDATE SKIP LOCKED
"""


async def due(tx: Tx, statuses: Sequence[Status], *, venue_ids: Sequence[UUID], limit: int) -> list[Booking]:
    """Bookings of these venues that a tick must move on now, the longest overdue first; those others work
    on are left out."""
    rows = await tx.fetch(DUE, tx.now, list(statuses), limit, list(venue_ids))
    return [from_row(row) for row in rows]


# LATERAL with OFFSET 0: one probe for each, in their order, whatever the planner believes of the table's size.
OF_IDS = f"""
    SELECT b.*
      FROM unnest($1::uuid[], $2::uuid[]) AS asked (tenant_id, id),
           LATERAL (SELECT {READ_COLUMNS} FROM booking
                     WHERE booking.tenant_id = asked.tenant_id AND booking.id = asked.id
                    OFFSET 0 FOR UPDATE) AS b
"""


async def of_ids(tx: Tx, asked: Iterable[tuple[UUID, UUID]]) -> list[Booking]:
    """These bookings, given as (tenant, booking): locked, and in the order of their ids."""
    pairs = sorted(asked, key=lambda pair: pair[1])
    rows = await tx.fetch(OF_IDS, [tenant for tenant, _ in pairs], [id_ for _, id_ in pairs])
    return [from_row(row) for row in rows]


# In the order of the index by venue, so that a plan made for a small table takes no other.
ARRIVING = """
    SELECT w.start_at AS "window", b.id, b.party_size FROM unnest($3::timestamptz[]) AS w (start_at),
           LATERAL (SELECT id, party_size FROM booking
                     WHERE tenant_id = $1 AND venue_id = $2
                       AND booking.start_at >= w.start_at AND booking.start_at < w.start_at + interval '15 minutes'
                       AND status = ANY ($4::text[]) AND (expires_at IS NULL OR expires_at > $5)
                     ORDER BY booking.start_at OFFSET 0) AS b
"""


async def arriving(
    tx: Tx, venue: Venue, windows: Collection[datetime], statuses: Sequence[Status]
) -> dict[datetime, dict[UUID, int]]:
    """The guests of each booking that arrives in the quarters of an hour from these instants, by instant."""
    found: dict[datetime, dict[UUID, int]] = {window: {} for window in windows}
    for row in await tx.fetch(ARRIVING, venue.tenant_id, venue.id, list(windows), list(statuses), tx.now):
        found[row["window"]][plain_id(row["id"])] = row["party_size"]
    return found


def from_row(row: Any) -> Booking:
    """A booking from a row with READ_COLUMNS."""
    values = dict(row)
    for name in _IDS:
        values[name] = values[name] and plain_id(values[name])
    values["status"] = Status(values["status"])
    values["resource_ids"] = tuple(map(plain_id, values["resource_ids"]))
    values["metadata"] = orjson.loads(values["metadata"])
    take = values.pop
    take("total_minor")  # the sum of the others
    return Booking(
        guest=Guest(**{name: take(f"guest_{name}") for name in _GUEST}),
        price=Price(*map(take, _PRICE)),
        details=Details(**{name: take(name) for name in _DETAILS}),
        **values,
    )
