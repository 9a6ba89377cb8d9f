"""What became of a transaction whose COMMIT was not answered, after the server has lost it too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.booking.asking import instant
from tests.conftest import House


class Lost(Exception):
    """What a crash does to a transaction."""


async def ran(db: Database, house: House, *, emits: bool, commits: bool) -> Tx:
    """The transaction, which has ended."""
    seen: list[Tx] = []
    tenant_id = await db.run(SYSTEM, tenant_of, house)

    async def verb(tx: Tx) -> None:
        seen.append(tx)
        if emits:
            made = Event(new_id(), tenant_id, "test.happened", None, new_id(), {}, "system", instant("12:00"))
            await emit(tx, [made])
        if not commits:
            raise Lost

    try:
        await db.call(SYSTEM, tenants=[tenant_id], lane="changes").run(verb)
    except Lost:
        assert not commits
    return seen[0]


async def tenant_of(tx: Tx, house: House) -> UUID:
    return await tx.fetchval("SELECT id FROM tenant WHERE slug = $1", house.tenant)


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("emits", [True, False])
async def test_it_is_as_it_ended(db: Database, open_house: Any, emits: bool, commits: bool) -> None:
    tx = await ran(db, await open_house(), emits=emits, commits=commits)
    assert await db.is_committed(tx) is commits


async def test_an_id_that_the_server_gave_to_another_proves_nothing(db: Database, open_house: Any) -> None:
    """An id is not in the log before something of the transaction is: after a crash the next may get it."""
    house: House = await open_house()
    lost = await ran(db, house, emits=True, commits=False)
    lost.xid = (await ran(db, house, emits=True, commits=True)).xid
    assert await db.is_committed(lost) is False


@pytest.mark.parametrize("emits", [True, False])
async def test_nor_does_an_id_that_the_server_has_not_reached_again(
    db: Database, database_url: str, open_house: Any, emits: bool
) -> None:
    lost = await ran(db, await open_house(), emits=emits, commits=False)
    connection = await asyncpg.connect(database_url)
    lost.xid = await connection.fetchval(
        "SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 100000)::text"
    )
    await connection.close()
    assert await db.is_committed(lost) is False
