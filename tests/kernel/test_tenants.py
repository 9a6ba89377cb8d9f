"""Tenants are kept apart twice: statements name their tenant, and row-level security holds where one would not.

What names a tenant also finds its rows by an index; so nothing costs more the more tenants there are.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.booking import displace, queries
from holdfast.booking import store as bookings
from holdfast.booking.finding import lists
from holdfast.claim import store as claims
from holdfast.claim.model import BEGINNING
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import idempotency
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.embedded import Server, create_database
from holdfast.kernel.ids import new_id
from holdfast.main.process.migrate import migrate
from holdfast.place import store as places
from holdfast.place import write_store
from holdfast.place.places import RULES_VERSION
from holdfast.waitlist import store as entries
from tests.booking.asking import at
from tests.conftest import House
from tests.kernel.statements import STATEMENTS, hidden, nodes, scans

# Of these the tenant is not known yet. Each finds one row by an id that is unique everywhere.
BY_ID = {
    "block.store.FIND": "block_id_is_unique",
    "booking.store.FIND": "booking_id_is_unique",
    "job.letters.FIND": "dead_letter_id_is_unique",
    "job.letters.FIND_FOR_UPDATE": "dead_letter_id_is_unique",
    "place.store.FIND_RESOURCE": "resource_id_is_unique",
    "place.store.READ_VENUES": "venue_id_is_unique",
    "series.store.FIND": "series_id_is_unique",
    "waitlist.store.FIND": "waitlist_entry_id_is_unique",
}
# These are about the rows of all tenants.
OF_ALL = {
    "booking.queries.DUE": "a tick",
    "booking.queries.DUE_VENUES": "a tick",
    "booking.queries.TO_BIND": "a tick",
    "booking.queries.VENUES_TO_BIND": "a tick",
    "channel.store.FORGET": "a tick",
    "claim.store.ARCHIVE": "a tick",
    "event.read.READ": "reads the events of all in commit order",
    "job.store.EVENT_LAG": "a metric",
    "job.store.EXPIRE": "the leases of all",
    "job.store.LAGS": "a metric",
    "job.letters.PURGE": "a tick",
    "booking.making.usage_store.FORGET": "a tick",
    "job.store.TAKE": "the jobs of all, in the order in which they are due",
    "kernel.db.idempotency.PURGE": "a tick",
    "place.store.LIST_ALL_VENUES": "a list for platform administrators",
    "waitlist.queue_store.OPEN_VENUES": "a tick",
}
AUDIT = "audit."  # its checks read all there is
# These read through what a tenant has.
OF_A_TENANT = {
    "place.write_store.REMOVE_RESOURCES": "its resources are few",
    "place.write_store.RESOURCES_IN_USE": "row-level security keeps && from the index",
    "simulate.count.BLOCKED": "compares all there is",
    "simulate.check.BLOCKS": "compares all there is",
    "simulate.check.OFFERS": "compares all there is",
    "simulate.check.QUEUE": "compares all there is",
    "simulate.check.SERIES": "compares all there is",
    "simulate.check.STEPS": "compares all there is",
    "simulate.watch.EVENTS": "compares all there is",
}
JOBS = "job."  # its tables are vacuumed while they are empty, and what is known to be empty is read whole

TABLES = """
    SELECT relname FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id')
"""
# As PostgreSQL writes it.
POLICY = (
    "(( SELECT sees_all_tenants() AS sees_all_tenants) "
    "OR ({column} = ANY (( SELECT visible_tenants() AS visible_tenants)::uuid[])))"
)
POLICIES = """
    SELECT policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies
     WHERE schemaname = 'public' AND tablename = $1
"""
FORCED = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = $1::text::regclass"


@pytest.fixture(scope="module")
async def plans(server: Server) -> AsyncIterator[Database]:
    """A database with nothing in it: of tables that it knows nothing of, PostgreSQL makes the same plans each time."""
    await create_database(server, "plans")
    await migrate(server.url("plans"))
    database = await Database.connect(server.url("plans"))
    yield database
    await database.close()


async def tables(tx: Tx, *, partitions: bool = False) -> set[str]:
    only = "" if partitions else " AND NOT relispartition"
    return {row["relname"] for row in await tx.fetch(TABLES + only)}


async def unnamed(tx: Tx, sql: str) -> list[dict[str, Any]]:
    """Reads of tenants' tables by which the statement would get rows of others, were there no policies."""
    tenanted = await tables(tx, partitions=True)
    await tx.execute("SET LOCAL role = 'none'")  # a superuser: no policy adds the tenant to the plan
    found = await nodes(tx, sql)
    joined = " ".join(each.get("Join Filter", "") for each in found)
    return [
        each
        for each in scans(found)
        # A row that is read by its place was found by another node.
        if each["Relation Name"] in tenanted
        and each["Node Type"] != "Tid Scan"
        and not re.search(r"\btenant_id = ", each.get("Index Cond", "") + each.get("Filter", ""))
        and f"{each['Alias']}.tenant_id = " not in joined
        and f" = {each['Alias']}.tenant_id" not in joined
    ]


@pytest.mark.parametrize("name", [each for each in STATEMENTS if not each.startswith(AUDIT)])
async def test_a_statement_names_its_tenant(plans: Database, name: str) -> None:
    found = await plans.run(SYSTEM, unnamed, STATEMENTS[name])
    if name in BY_ID or name in OF_ALL:
        assert found, "it names its tenant: take it off the list"
    else:
        assert not found


def test_no_statement_is_hidden_in_a_function() -> None:
    assert [each for each in hidden() if "alembic_version" not in each] == []


def test_the_statements_listed_exist() -> None:
    assert {*BY_ID, *OF_ALL, *OF_A_TENANT} <= STATEMENTS.keys()
    assert len(STATEMENTS) > 100


@pytest.mark.parametrize("name", [each for each in STATEMENTS if not each.startswith(AUDIT)])
async def test_a_statement_never_reads_through_the_tenants(plans: Database, name: str) -> None:
    for each in scans(await plans.run(SYSTEM, nodes, STATEMENTS[name])):
        if each["Relation Name"] == "tenant":
            assert re.match(r"\((id|slug) = ", each.get("Index Cond", ""))


SECOND_COLUMNS = """
    SELECT indexrelid::regclass::text AS index, attname AS column
      FROM pg_index JOIN pg_attribute ON attrelid = indexrelid AND attnum = 2
     WHERE pg_get_indexdef(indexrelid, 1, true) = 'tenant_id'
"""


@pytest.mark.parametrize(
    "name",
    [
        each
        for each in STATEMENTS
        if not each.startswith((AUDIT, JOBS)) and each not in OF_ALL and each not in OF_A_TENANT
    ],
)
async def test_a_statement_never_reads_through_all_of_a_tenant(plans: Database, name: str) -> None:
    """A plan made for a small table does that gladly, and is kept."""

    async def look(tx: Tx) -> None:
        second = {row["index"]: row["column"] for row in await tx.fetch(SECOND_COLUMNS)}
        for each in scans(await nodes(tx, STATEMENTS[name])):
            if each.get("Index Name") in second:
                assert second[each["Index Name"]] in each.get("Index Cond", ""), each

    await plans.run(SYSTEM, look)


@pytest.mark.parametrize("name", BY_ID)
async def test_a_look_up_by_id_is_one_probe_whoever_asks(plans: Database, name: str) -> None:
    async def look(tx: Tx) -> int:
        found = scans(await nodes(tx, STATEMENTS[name]))
        if not name.startswith(JOBS):
            assert [each["Index Name"] for each in found if by_id(each)] == [BY_ID[name]]
        id_ = [new_id()] if "$1::uuid[]" in STATEMENTS[name] else new_id()
        assert await tx.fetch(STATEMENTS[name], id_) == []
        return await tx.fetchval("SELECT pg_stat_get_xact_numscans('tenant'::regclass)")

    assert await plans.run(SYSTEM, look) == 0, "its policies look at the tenants"


def by_id(node: dict[str, Any]) -> bool:
    return re.match(r"\(id = (ANY \()?\$1", node.get("Index Cond", "")) is not None


async def test_the_ledgers_functions_do_not_look_at_the_tenants(db: Database) -> None:
    async def look(tx: Tx) -> int:
        await tx.fetch("SELECT FROM claims_overlapping('{}', '{}', '{}', '{}')")
        await tx.fetch("SELECT FROM bookings_of_group($1, $1, 'members', now(), now())", new_id())
        return await tx.fetchval("SELECT pg_stat_get_xact_numscans('tenant'::regclass)")

    assert await db.run(SYSTEM, look) == 0


async def test_every_table_of_tenants_has_the_policy(db: Database) -> None:
    async def look(tx: Tx) -> None:
        for table in {"tenant", *await tables(tx)}:
            assert await tx.fetchval(FORCED, table), table
            found = await tx.fetch(POLICIES, table)
            qual = POLICY.format(column="id" if table == "tenant" else "tenant_id")
            policies = [("own_tenant", "PERMISSIVE", ["public"], "ALL", qual, None)]
            if table in ("claim", "booking"):
                policies.append(("ledger_reads", "PERMISSIVE", ["holdfast_ledger"], "SELECT", "true", None))
            assert sorted(map(tuple, found)) == sorted(policies), table

    await db.run(SYSTEM, look)


async def test_the_application_can_not_get_round_the_policies(db: Database) -> None:
    async def look(tx: Tx) -> None:
        role = "FROM pg_roles WHERE rolname = current_user"
        assert await tx.fetchval(f"SELECT rolname {role}") == "holdfast_app"
        assert not await tx.fetchval(f"SELECT rolsuper OR rolbypassrls OR rolcreaterole {role}")
        assert not await tx.fetch(f"SELECT FROM pg_auth_members WHERE member = (SELECT oid {role})")
        owned = "SELECT FROM pg_shdepend WHERE refobjid = (SELECT oid {role}) AND deptype = 'o'"
        assert not await tx.fetch(owned.format(role=role))
        # What runs with the rights of its owner, whoever calls it.
        definer = "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        assert {row[0] for row in await tx.fetch(definer)} == {
            "bookings_of_group",
            "claims_overlapping",
            "number_events",
            "event_epoch_now",
            "add_event_months",
            "drop_event_months",
        }
        views = "SELECT FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
        assert not await tx.fetch(views)

    await db.run(SYSTEM, look)


VISIBLE = (
    "SELECT count(*) FROM tenant WHERE id = $1",
    "SELECT count(*) FROM venue WHERE tenant_id = $1",
    """SELECT count(*) FROM claims_overlapping(
           ARRAY[$1::uuid], ARRAY(SELECT id FROM resource WHERE tenant_id = $1 LIMIT 1),
           ARRAY['-infinity'::timestamptz], ARRAY['infinity'::timestamptz])""",
)


async def visible(tx: Tx, setting: str, sql: str, tenant_id: UUID) -> int:
    await tx.fetch("SELECT set_config('holdfast.tenants', $1, true)", setting)
    return await tx.fetchval(sql, tenant_id)


async def tenant_of(db: Database, house: House) -> UUID:
    kept = await db.run(SYSTEM, places.read_venue, UUID(house.venue_id))
    assert kept is not None
    return kept.tenant_id


@pytest.mark.parametrize("sql", VISIBLE, ids=["tenant", "venue", "claims"])
async def test_a_setting_that_is_not_understood_shows_nothing(house: House, db: Database, sql: str) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    mine = await tenant_of(db, house)
    for setting, rows in (("*", 1), (str(mine), 1), (f"{new_id()},{mine}", 1), (str(new_id()), 0), ("", 0)):
        assert await db.run(SYSTEM, visible, setting, sql, mine) == rows, setting
    for setting in ("* ", " *", "**", "*,", f"*,{mine}", f"{mine},*", f"{mine},", "all", "NULL", "%", "{*}"):
        with pytest.raises(asyncpg.DataError):
            await db.run(SYSTEM, visible, setting, sql, mine)


def without_tenant(sql: str) -> str:
    """The statement as if somebody had forgotten the tenant."""
    forgotten = re.sub(r"(?:\w+\.)?\btenant_id = (\$\d+)", r"\1::uuid IS NOT NULL", sql)
    forgotten = re.sub(r"(?:\w+\.)?\btenant_id = ANY \((\$\d+::uuid\[\])\)", r"\1 IS NOT NULL", forgotten)
    assert forgotten != sql
    return forgotten


async def test_row_level_security_holds_where_a_statement_forgets_the_tenant(
    house: House, open_house: Any, db: Database
) -> None:
    gina = {**house.gina, "idempotency-key": "k"}
    booking = await house.booked(gina, start=at("18:00"), resource_ids=house.ids("t1"))
    theirs, mine = await tenant_of(db, house), await tenant_of(db, await open_house())
    id_, venue, t1 = UUID(booking["id"]), UUID(house.venue_id), UUID(house.resources["t1"])
    everything = (None, None, None, None, lists.FIRST, lists.NIL, 10)
    then = BEGINNING
    cases: list[tuple[str, tuple[Any, ...]]] = [
        (bookings.GET, (theirs, id_)),
        (bookings.GET_FOR_UPDATE, (theirs, id_)),
        (queries.FIND_REFERENCE, ([theirs], booking["booking_reference"])),
        (queries.HISTORY, (theirs, id_, 0, 10)),
        (displace.OF_OWNERS, (theirs, [id_])),
        (entries.OFFERS, (theirs, [id_])),
        (lists.OF_VENUE, (theirs, venue, *everything)),
        (claims.STILL_OF, (theirs, id_, then)),
        (RULES_VERSION, (theirs, venue)),
        (idempotency.FIND, (theirs, "create", "k")),
        (write_store.TOUCH_VENUE, (theirs, venue, then)),
        (write_store.REMOVE_RESOURCES, (theirs, [t1], then)),
        (claims.DROP, (theirs, id_, then, then)),
    ]

    async def rows(tx: Tx, sql: str, args: tuple[Any, ...]) -> int:
        return int((await tx.execute(sql, *args)).split()[-1])

    for sql, args in cases:
        forgotten = without_tenant(sql)
        assert await db.call(SYSTEM, tenants=[mine]).run(rows, forgotten, args) == 0, sql
        assert await db.call(SYSTEM, tenants=[]).run(rows, forgotten, args) == 0, sql
        assert await db.call(SYSTEM, tenants=[theirs]).run(rows, forgotten, args) > 0, sql
