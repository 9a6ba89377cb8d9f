"""Row-level security: the database itself keeps tenants apart, whatever the code above does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place import store
from holdfast.place.document import parse_document
from holdfast.place.import_venue import import_venue

from .conftest import Ask, Cast
from .test_import_venue import imported

COUNTS = """
    SELECT (SELECT count(*) FROM tenant WHERE id = $1),
           (SELECT count(*) FROM venue WHERE tenant_id = $1),
           (SELECT count(*) FROM resource WHERE tenant_id = $1),
           (SELECT count(*) FROM resource_join WHERE tenant_id = $1),
           (SELECT count(*) FROM event WHERE tenant_id = $1)
"""


async def rows_seen(db: Database, who: Actor, tenant_id: UUID) -> tuple[int, ...]:
    async def count(tx: Tx) -> tuple[int, ...]:
        row = await tx.fetchrow(COUNTS, tenant_id)
        assert row is not None
        return tuple(row)

    return await db.run(who, count)


async def test_another_tenant_sees_no_rows(
    ask: Ask, cast: Cast, db: Database, osteria: dict[str, Any]
) -> None:
    await imported(ask, cast, osteria)
    assert await rows_seen(db, cast.alice, cast.nord.id) == (1, 1, 3, 1, 2)
    assert await rows_seen(db, cast.platform, cast.nord.id) == (1, 1, 3, 1, 2)
    assert await rows_seen(db, cast.charlie, cast.nord.id) == (0, 0, 0, 0, 0)
    assert await rows_seen(db, cast.nobody, cast.nord.id) == (0, 0, 0, 0, 0)


async def test_another_tenant_changes_no_rows(
    ask: Ask, cast: Cast, db: Database, osteria: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)

    async def grab(tx: Tx) -> str:
        return await tx.execute("UPDATE venue SET name = 'mine' WHERE id = $1", UUID(venue["id"]))

    assert await db.run(cast.charlie, grab) == "UPDATE 0"
    assert await db.run(cast.charlie, store.read_venues, [UUID(venue["id"])]) == {}


async def test_nobody_writes_rows_of_a_tenant_not_named(
    cast: Cast, db: Database, osteria: dict[str, Any]
) -> None:
    async def smuggle(tx: Tx) -> None:
        sql = "INSERT INTO tenant (id, slug, name, created_at) VALUES (gen_random_uuid(), 'x', 'x', now())"
        await tx.execute(sql)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.run(cast.charlie, smuggle)
    # An actor who claims two tenants must say which one is meant.
    both = replace(cast.alice, tenant_ids=(cast.nord.id, cast.syd.id))
    kept = (await db.run(both, import_venue, parse_document(osteria), tenant=cast.syd.slug)).kept
    assert kept.tenant_id == cast.syd.id
