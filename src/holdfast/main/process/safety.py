"""Is this database fit to keep bookings?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from holdfast.kernel.db.database import APP_ROLE
from holdfast.main.process.migrate import newest, revision_of
from holdfast.main.process.outcome import Failed

SERVER_VERSION_MIN = 150000
UNSAFE = "or set HOLDFAST_UNSAFE_DATABASE=1 if losing bookings does not matter"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says of itself, and of the role that the application takes on.

    `server_version`: as in `server_version_num` (150004). `revision`: of the schema; None: there is none.
    `login`: the user of the URL; `login_powers`: what it can do beyond taking on that role, the worst first.
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
    """Nothing, if bookings can be kept here; what is merely doubtful is logged as a warning.

    `unsafe`: permits what may lose bookings in a crash, but never what may show them to strangers.
    Raises `Failed` with a sentence for each thing that is wrong.
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


def unfit(facts: Facts) -> list[str]:
    """Why Holdfast can't run here at all."""
    rules = [
        (
            facts.server_version < SERVER_VERSION_MIN,
            f"The database is PostgreSQL {facts.server_version // 10000}: upgrade it to 15 or later.",
        ),
        (
            facts.revision is None or facts.revision < newest(),
            f"The schema of the database is at revision {facts.revision or 'none'}, but {newest()} is "
            "needed: run holdfast migrate.",
        ),
        (
            facts.revision is not None and not facts.role_exists,
            f"The role {APP_ROLE} is missing: run CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS and "
            "the GRANTs of schema.sql as the owner.",
        ),
        (
            facts.role_exists and not facts.role_can_be_taken,
            f"The user of HOLDFAST_DATABASE_URL may not take on the role {APP_ROLE}: "
            f"run GRANT {APP_ROLE} TO that user.",
        ),
        (
            facts.role_is_superuser,
            f"The role {APP_ROLE} is a superuser, so that one tenant could see another: "
            f"run ALTER ROLE {APP_ROLE} NOSUPERUSER.",
        ),
        (
            facts.role_bypasses_rls,
            f"The role {APP_ROLE} bypasses row-level security, so that one tenant could see another: "
            f"run ALTER ROLE {APP_ROLE} NOBYPASSRLS.",
        ),
        (
            # A superuser owns everything anyhow.
            facts.role_owns_tables and not facts.role_is_superuser,
            f"The role {APP_ROLE} owns tables, so that it could switch row-level security off: "
            "run ALTER TABLE ... OWNER TO the user who migrates, and revoke that user's role from it.",
        ),
    ]
    return [sentence for holds, sentence in rules if holds]


def may_lose_bookings(facts: Facts) -> list[str]:
    """What would lose acknowledged bookings, or the whole database, in a crash of the machine."""
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if not getattr(facts, name)]
    return [f"The database runs with {name} off: set it on, {UNSAFE}." for name in off]


def warnings(facts: Facts) -> list[str]:
    """What is not good but may be meant."""
    found = []
    if not facts.data_checksums:
        found.append(
            "the database has no data checksums: a failing disk goes unnoticed; stop it, run pg_checksums -e"
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
    """The facts, as the user sees them whom the application connects as."""
    row = await connection.fetchrow(FACTS, APP_ROLE)
    try:
        revision = await revision_of(connection)
    except asyncpg.InsufficientPrivilegeError:
        # A user who may not take on the application's role can't read it either, and is told about the role.
        revision = newest()
    return Facts(**{**row, "login_powers": tuple(row["login_powers"])}, revision=revision)
