"""After a restore everything goes on: nothing is skipped or done twice, and old cursors are told so."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from holdfast.event.number import Numberer
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database
from holdfast.kernel.embedded.account import account_for
from holdfast.kernel.embedded.programs import wheel_bin_dir
from holdfast.main.process.migrate import migrate
from tests.conftest import FAST
from tests.databases import new_database
from tests.engines import connect
from tests.processes import until

from .shop import evening_at, goes_on, shop_on

SMALL = FAST | {"shared_buffers": "32MB"}
XIDS_AHEAD = 5_000
BURN = f"DO $$ BEGIN FOR n IN 1..{XIDS_AHEAD} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@contextmanager
def cluster(place: Path, **settings: str) -> Iterator[Server]:
    """A server of its own on that directory, for the block."""
    postgres = EmbeddedPostgres(place, SMALL | settings)
    try:
        yield postgres.start()
    finally:
        postgres.stop()


async def run(*command: object) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [str(each) for each in command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


async def test_a_dump_restored_into_a_younger_cluster(
    server: Server, tmp_path: Path, data_dir: Path, issuer: DevIssuer
) -> None:
    """The transaction ids of the old cluster are far ahead of those of the new one."""
    await new_database(server, "dumped")
    owner = await asyncpg.connect(server.url("dumped"))
    await owner.execute(BURN)
    await owner.close()
    async with shop_on(server.url("dumped"), data_dir) as shop:
        before = await evening_at(shop, issuer)
    dump = tmp_path / "dump"
    await run(wheel_bin_dir() / "pg_dump", "--format=custom", f"--file={dump}", server.url("dumped"))
    with ExitStack() as servers:
        younger = await asyncio.to_thread(servers.enter_context, cluster(tmp_path / "younger"))
        await create_database(younger, "restored")
        await make_roles(younger)
        await run(wheel_bin_dir() / "pg_restore", f"--dbname={younger.url('restored')}", dump)
        async with shop_on(younger.url("restored"), data_dir) as shop:
            await goes_on(shop, before)
        await asyncio.to_thread(servers.close)


async def test_a_dump_restored_in_place_of_what_went_on(
    server: Server, tmp_path: Path, data_dir: Path, issuer: DevIssuer
) -> None:
    """Cluster, timeline and database are the same; positions behind the dump mean other events now."""
    await new_database(server, "replaced")
    dump = tmp_path / "dump"
    async with shop_on(server.url("replaced"), data_dir) as shop:
        before = await evening_at(shop, issuer)
        await run(wheel_bin_dir() / "pg_dump", "--format=custom", f"--file={dump}", server.url("replaced"))
        before.live_cursor = await shop.live_cursor(before.house)
        _, before.feed_cursor = await shop.feed(before.house)
    owner = await asyncpg.connect(server.url("replaced"))
    await owner.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await owner.close()
    await run(wheel_bin_dir() / "pg_restore", f"--dbname={server.url('replaced')}", dump)
    async with shop_on(server.url("replaced"), data_dir) as shop:
        await goes_on(shop, before)


async def test_a_recovery_to_a_point_in_time(tmp_path: Path, data_dir: Path, issuer: DevIssuer) -> None:
    """What came after the point is gone, and its positions are given to other events."""
    archive = tmp_path / "archive"
    archive.mkdir(mode=0o777)
    os.chmod(archive, 0o777)
    archiving = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f", "wal_level": "replica"}
    with ExitStack() as servers:
        first = await asyncio.to_thread(servers.enter_context, cluster(tmp_path / "first", **archiving))
        await create_database(first)
        await migrate(first.url())
        await back_up(first, tmp_path / "second")
        async with shop_on(first.url(), data_dir) as shop:
            before = await evening_at(shop, issuer)
            owner = await asyncpg.connect(first.url())
            await owner.execute("SELECT pg_create_restore_point('evening')")
            before.live_cursor = await shop.live_cursor(before.house)
            _, before.feed_cursor = await shop.feed(before.house)
            await owner.execute("SELECT pg_switch_wal()")
            await owner.close()
        await asyncio.to_thread(servers.close)
        restored = tmp_path / "second" / "postgres"
        (restored / "recovery.signal").touch()
        recovering = {
            "restore_command": f"cp {archive}/%f %p",
            "recovery_target_name": "evening",
            "recovery_target_action": "promote",
        }
        second = await asyncio.to_thread(
            servers.enter_context, cluster(tmp_path / "second", **archiving, **recovering)
        )
        await promoted(second)
        async with shop_on(second.url(), data_dir) as shop:
            await goes_on(shop, before)
        await asyncio.to_thread(servers.close)


async def test_the_epoch_survives_restarts_and_crashes(tmp_path: Path) -> None:
    epochs: list[str] = []
    postgres = EmbeddedPostgres(tmp_path / "kept", SMALL)
    try:
        for _ in range(3):
            server = await asyncio.to_thread(postgres.start)
            if await create_database(server):
                await migrate(server.url())
            db = await connect(server.url())
            epochs += [(await Numberer(db).number()).epoch for _ in range(2)]
            await db.close()
            os.kill(server.pid, 9 if len(epochs) == 2 else 15)
            await asyncio.to_thread(postgres.stop)
    finally:
        await asyncio.to_thread(postgres.stop)
    assert len(set(epochs)) == 1, epochs


async def make_roles(server: Server) -> None:
    """A dump of one database has no roles in it."""
    owner = await asyncpg.connect(server.url("postgres"))
    for role in ("holdfast_app", "holdfast_ledger"):
        await owner.execute(f"CREATE ROLE {role} NOLOGIN")
    await owner.close()


async def back_up(server: Server, place: Path) -> None:
    """A base backup there, made of files as PostgreSQL's manual has it."""
    owner = await asyncpg.connect(server.url())
    await owner.execute("SELECT pg_backup_start('base', fast => true)")
    await run("mkdir", "-m", "700", place)
    await run("cp", "-a", server.data_dir / "postgres", place / "postgres")
    label = await owner.fetchval("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)")
    await owner.close()
    copied = place / "postgres"
    (copied / "backup_label").write_text(label)
    for left in ("postmaster.pid", "postmaster.opts"):
        (copied / left).unlink(missing_ok=True)
    account = account_for(copied)
    if account.drop:
        os.chown(copied / "backup_label", account.uid, account.gid)


async def promoted(server: Server) -> None:
    async def is_open() -> bool:
        owner = await asyncpg.connect(server.url())
        try:
            return not await owner.fetchval("SELECT pg_is_in_recovery()")
        finally:
            await owner.close()

    await until(is_open)
