"""Statements on the tables `series` and `series_booking`. Only this noun writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from holdfast.booking import store as bookings
from holdfast.booking.store import READ_COLUMNS
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.place.venue import Venue
from holdfast.series.model import COLUMNS, Member, Series

_NAMES = ", ".join(COLUMNS)

INSERT = f"""
    WITH series AS (
        INSERT INTO series ({_NAMES})
        VALUES ({", ".join(f"${number}" for number in range(1, len(COLUMNS) + 1))})
    )
    INSERT INTO series_booking (tenant_id, series_id, occurrence_on, booking_id)
    SELECT $1, $2, occurrence_on, booking_id FROM unnest($13::date[], $14::uuid[]) AS m (occurrence_on, booking_id)
"""
assert len(COLUMNS) == 12, "INSERT numbers the parameters after these"


async def insert(tx: Tx, series: Series, members: Sequence[Member]) -> None:
    """Writes a series, and which bookings belong to it."""
    values = [getattr(series, name) for name in COLUMNS]
    await tx.execute(INSERT, *values, [each.on for each in members], [each.booking.id for each in members])


FIND = f"SELECT {_NAMES} FROM series WHERE id = $1"


async def find(tx: Tx, series_id: UUID) -> Series:
    """Returns the series, for callers that don't know its tenant yet. Raises NotFound."""
    return _found(await tx.fetchrow(FIND, series_id), series_id)


GET = f"SELECT {_NAMES} FROM series WHERE tenant_id = $1 AND id = $2"


async def get(tx: Tx, tenant_id: UUID, series_id: UUID) -> Series:
    """Returns the tenant's series. Raises NotFound."""
    return _found(await tx.fetchrow(GET, tenant_id, series_id), series_id)


def _found(row: asyncpg.Record | None, series_id: UUID) -> Series:
    if row is None:
        raise NotFound(f"There is no series {series_id}.")
    return _from_row(row)


# Ids first: one lookup by key for each, whatever table sizes the planner assumes.
MEMBERS = f"""
    SELECT m.occurrence_on, b.*
      FROM (SELECT tenant_id, occurrence_on, booking_id FROM series_booking
             WHERE tenant_id = $1 AND series_id = $2
             ORDER BY tenant_id, series_id, occurrence_on) AS m,
           LATERAL (SELECT {READ_COLUMNS} FROM booking
                     WHERE booking.tenant_id = m.tenant_id AND booking.id = m.booking_id OFFSET 0) AS b
"""


async def members(tx: Tx, series: Series) -> list[Member]:
    """Returns its bookings, ordered by the date of their occurrence."""
    rows = await tx.fetch(MEMBERS, series.tenant_id, series.id)
    return [_member(row) for row in rows]


SAVE = """
    UPDATE series SET version = $3, local_start = $4, duration_minutes = $5, updated_at = $6
     WHERE tenant_id = $1 AND id = $2 AND version = $3 - 1
"""


async def save(tx: Tx, series: Series) -> None:
    """Writes the next version of the series. Raises VersionConflict if somebody else wrote it first."""
    done = await tx.execute(
        SAVE,
        series.tenant_id,
        series.id,
        series.version,
        series.local_start,
        series.duration_minutes,
        series.updated_at,
    )
    if done != "UPDATE 1":
        raise VersionConflict


OF_VENUE = f"""
    SELECT {_NAMES} FROM series
     WHERE tenant_id = $1 AND venue_id = $2 AND id > $3
     ORDER BY tenant_id, venue_id, id
     LIMIT $4
"""


async def of_venue(tx: Tx, venue: Venue, *, after: UUID, limit: int) -> list[Series]:
    """Returns up to `limit` series of the venue with ids greater than `after`, oldest first."""
    return [_from_row(row) for row in await tx.fetch(OF_VENUE, venue.tenant_id, venue.id, after, limit)]


def _from_row(row: asyncpg.Record) -> Series:
    values: dict[str, Any] = dict(row)
    for name in ("tenant_id", "id", "venue_id"):
        values[name] = plain_id(values[name])
    return Series(**values)


def _member(row: asyncpg.Record) -> Member:
    values = dict(row)
    on = values.pop("occurrence_on")
    return Member(on, bookings.from_row(values))
