"""A tenant copied to another database as docs/operations.md has it: there everything goes on."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from pathlib import Path

import asyncpg

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import create_database
from holdfast.main.process.migrate import migrate
from tests.processes import until

from .shop import evening_at, goes_on, shop_on
from .test_restore import cluster

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
ALL_COPIED = "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"
APPLIED = "SELECT latest_end_lsn >= $1 FROM pg_stat_subscription WHERE subname = 'moving'"
NOT_COPIED = {"event_new", "event_log", "event_purge", "event_epoch", "alembic_version"}


def statements(tenant_id: str) -> list[str]:
    """The SQL of the guide."""
    _, _, guide = DOCUMENT.read_text().partition("### Copy a tenant")
    return [each.replace("TENANT", tenant_id) for each in re.findall(r"```sql\n(.+?)```", guide, re.DOTALL)]


async def test_a_tenant_copied_by_logical_replication_while_it_is_in_use(
    tmp_path: Path, data_dir: Path, issuer: DevIssuer
) -> None:
    with ExitStack() as servers:
        source = await asyncio.to_thread(
            servers.enter_context, cluster(tmp_path / "source", wal_level="logical")
        )
        target = await asyncio.to_thread(servers.enter_context, cluster(tmp_path / "target"))
        for server in (source, target):
            await create_database(server)
            await migrate(server.url())
        there = await asyncpg.connect(target.url())
        async with shop_on(source.url(), data_dir) as shop, shop_on(target.url(), data_dir) as other:
            # Both have tenants of their own, so that positions and sequences of the two have nothing in common.
            await evening_at(other, issuer)
            await evening_at(shop, issuer)
            house = await shop.house(issuer)
            here = await asyncpg.connect(source.url())
            tenant = await here.fetchval("SELECT id::text FROM tenant WHERE slug = $1", house.tenant)
            publish, adopt = statements(tenant)
            await here.execute(publish)
            place = f"host={source.socket_dir} port={source.port} user=postgres dbname=holdfast"
            await there.execute(f"CREATE SUBSCRIPTION moving CONNECTION '{place}' PUBLICATION moving")
            await until(lambda: there.fetchval(ALL_COPIED))
            before = await evening_at(shop, issuer, house)
        end = await here.fetchval("SELECT pg_current_wal_lsn()")

        async def applied() -> bool:
            # What has nothing to replicate is not told of at once: something to go past it.
            await here.execute("SELECT pg_logical_emit_message(false, 'test', '')")
            return await there.fetchval(APPLIED, end)

        await until(applied)
        await there.execute("DROP SUBSCRIPTION moving")
        await there.execute(adopt)
        async with shop_on(target.url(), data_dir) as shop:
            await goes_on(shop, before)
        copied = {row[0] for row in await here.fetch("SELECT tablename FROM pg_publication_tables")}
        tables = {
            row[0]
            for row in await here.fetch(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
                " AND relnamespace = 'public'::regnamespace"
            )
        }
        assert tables - copied == NOT_COPIED, "a new table is in the guide, or here"
        await here.close()
        await there.close()
        await asyncio.to_thread(servers.close)
