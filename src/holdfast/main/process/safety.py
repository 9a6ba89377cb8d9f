"""Checks whether the database is fit to store bookings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from holdfast.kernel.db.database import APP_ROLE
from holdfast.main.process.migrate import NEWER, newest, revision_of
from holdfast.main.process.outcome import Failed

SERVER_VERSION_MIN = 150000
UNSAFE = "or set HOLDFAST_UNSAFE_DATABASE=1 if losing bookings does not matter"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about the server, the application's role and the login user.

    `server_version`: as in `server_version_num` (150004). `revision`: of the schema; None without one.
    `login`: the user in the URL; `login_powers`: what it can do beyond switching to the application's role, worst
    first.
    """

    server_version: int
    fsync: bool = True
    full_page_writes: bool = True
    synchronous_commit: bool = True
    data_checksums: bool = True
    revision: str | None = None
    role_exists: bool = True
    role_can_be_taken: bool = True
    role_is_superuser: bool = False
    role_bypasses_rls: bool = False
    role_owns_tables: bool = False
    login: str = ""
    login_powers: tuple[str, ...] = ()


async def check_database(connection: Any, *, unsafe: bool) -> None:
    """Checks that bookings are safe in this database; logs a warning for settings that are merely doubtful.

    `unsafe`: allows settings that may lose bookings in a crash, but none that may show data to other tenants.
    Raises `Failed` with one sentence per problem.
    """
    facts = await read_facts(connection)
    for warning in warnings(facts):
        log.warning("unsafe_database_setting", problem=warning)
    losses = may_lose_bookings(facts)
    for loss in losses if unsafe else ():
        log.warning("unsafe_database_permitted", problem=loss)
    refusals = unfit(facts) + ([] if unsafe else losses)
    if refusals:
        raise Failed(" ".join(refusals))


async def check_known(connection: Any) -> None:
    """Raises `Failed` if the schema is newer than this code, whose checks may not be true of it."""
    found = await revision_of(connection)
    if found is not None and found > newest():
        raise Failed(NEWER.format(found=found, newest=newest()))


def unfit(facts: Facts) -> list[str]:
    """Returns the reasons why Holdfast can't run on this database at all."""
    rules = [
        (
            facts.server_version < SERVER_VERSION_MIN,
            f"The database is PostgreSQL {facts.server_version // 10000}: upgrade it to 15 or later.",
        ),
        (
            facts.revision is None,
            "The database has no schema of Holdfast: run holdfast migrate, or name another database.",
        ),
        (
            facts.revision is not None and facts.revision < newest(),
            f"The schema of the database is at revision {facts.revision}, but {newest()} is "
            "needed: run holdfast migrate.",
        ),
        (
            facts.revision is not None and not facts.role_exists,
            f"The role {APP_ROLE} is missing: run CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS and "
            "the GRANTs of schema.sql as the owner.",
        ),
        (
            facts.role_exists and not facts.role_can_be_taken,
            f"The user of HOLDFAST_DATABASE_URL may not switch to the role {APP_ROLE}: "
            f"run GRANT {APP_ROLE} TO that user.",
        ),
        (
            facts.role_is_superuser,
            f"The role {APP_ROLE} is a superuser, so one tenant could see another's data: "
            f"run ALTER ROLE {APP_ROLE} NOSUPERUSER.",
        ),
        (
            facts.role_bypasses_rls,
            f"The role {APP_ROLE} bypasses row-level security, so one tenant could see another's data: "
            f"run ALTER ROLE {APP_ROLE} NOBYPASSRLS.",
        ),
        (
            # A superuser owns everything anyway.
            facts.role_owns_tables and not facts.role_is_superuser,
            f"The role {APP_ROLE} owns tables, so it could switch row-level security off: "
            "run ALTER TABLE ... OWNER TO the user who migrates, and revoke that user's role from it.",
        ),
    ]
    return [sentence for holds, sentence in rules if holds]


def may_lose_bookings(facts: Facts) -> list[str]:
    """Returns the settings that could lose acknowledged bookings, or the whole database, if the machine crashes."""
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if not getattr(facts, name)]
    return [f"The database runs with {name} off: switch it on, {UNSAFE}." for name in off]


def warnings(facts: Facts) -> list[str]:
    """Returns warnings about settings that are not good but may be intended."""
    found = []
    if not facts.data_checksums:
        found.append(
            "the database has no data checksums: a failing disk would go unnoticed; stop the server and run "
            "pg_checksums -e"
        )
    if facts.login_powers:
        found.append(
            f"the user {facts.login} of HOLDFAST_DATABASE_URL {facts.login_powers[0]}, so whoever breaks into Holdfast "
            f"can do that too: keep it for holdfast migrate, and run serve and work as a user made by CREATE ROLE "
            f"holdfast_web LOGIN PASSWORD '...'; GRANT {APP_ROLE} TO holdfast_web;"
        )
    return found


FACTS = """
    SELECT current_setting('server_version_num')::int AS server_version,
           current_setting('fsync') = 'on' AS fsync,
           current_setting('full_page_writes') = 'on' AS full_page_writes,
           current_setting('synchronous_commit') <> 'off' AS synchronous_commit,
           current_setting('data_checksums') = 'on' AS data_checksums,
           app.oid IS NOT NULL AS role_exists,
           coalesce(pg_has_role(current_user, app.oid,
                                CASE WHEN current_setting('server_version_num')::int < 160000
                                     THEN 'MEMBER' ELSE 'SET' END), false) AS role_can_be_taken,
           coalesce(app.rolsuper, false) AS role_is_superuser,
           coalesce(app.rolbypassrls, false) AS role_bypasses_rls,
           EXISTS (SELECT FROM pg_class
                    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                      AND pg_has_role(app.oid, relowner, 'MEMBER')) AS role_owns_tables,
           session_user AS login,
           (SELECT array_remove(ARRAY[
                CASE WHEN bool_or(rolsuper) THEN 'is a superuser' END,
                CASE WHEN bool_or(rolbypassrls) THEN 'can bypass row-level security' END,
                CASE WHEN bool_or(EXISTS (
                    SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                       AND relowner = each.oid)) THEN 'owns tables' END,
                CASE WHEN bool_or(rolcreaterole) THEN 'can make roles' END,
                CASE WHEN bool_or(rolreplication) THEN 'can copy the whole server (REPLICATION)' END,
                CASE WHEN bool_or(rolname IN ('pg_execute_server_program', 'pg_read_server_files',
                                              'pg_write_server_files'))
                     THEN 'can use the server''s files and programs' END], NULL)
              FROM pg_roles AS each WHERE pg_has_role(session_user, each.oid, 'MEMBER')) AS login_powers
      FROM (SELECT) AS one LEFT JOIN pg_roles AS app ON app.rolname = $1
"""


async def read_facts(connection: Any) -> Facts:
    """Reads the facts as the application's login user sees them."""
    row = await connection.fetchrow(FACTS, APP_ROLE)
    try:
        revision = await revision_of(connection)
    except asyncpg.InsufficientPrivilegeError:
        # A user who may not switch to the application's role can't read the revision either; report only the role.
        revision = newest()
    return Facts(**{**row, "login_powers": tuple(row["login_powers"])}, revision=revision)
