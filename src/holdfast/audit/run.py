"""Audits a database: runs every check on one snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from holdfast.audit.blocks import BLOCKS
from holdfast.audit.bookings import BOOKINGS
from holdfast.audit.channels import CHANNELS
from holdfast.audit.check import Check, Judge
from holdfast.audit.given import GIVEN
from holdfast.audit.ledger import LEDGER
from holdfast.audit.replies import REPLIES
from holdfast.audit.trail import TRAIL
from holdfast.audit.waitlist import WAITLIST
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.faults import UNREACHABLE
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import Overloaded

Connection = asyncpg.Connection | PoolConnectionProxy

SHOWN_MAX = 100
"""Violations per check that a report lists; it counts all of them."""
STATEMENT_TIMEOUT_S = 3600
WORK_MEM_MB = 64
"""Memory for each sort or hash of the auditing connection."""

CHECKS: tuple[Check, ...] = (*LEDGER, *GIVEN, *BOOKINGS, *TRAIL, *REPLIES, *BLOCKS, *CHANNELS, *WAITLIST)
"""Every invariant, in the order in which they are checked."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check: `count` violating rows, the first SHOWN_MAX of them as JSON values."""

    check: Check
    count: int
    violations: tuple[dict[str, Any], ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return self.count == 0


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all checks, in the order of CHECKS."""

    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        return all(each.ok for each in self.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(each for each in self.results if not each.ok)

    def as_json(self) -> dict[str, Any]:
        """Returns `{"ok", "checks": [{"name", "ok", "violations", "count"}]}`."""
        checks = [
            {
                "name": each.check.name,
                "ok": each.ok,
                "violations": list(each.violations),
                "count": each.count,
            }
            for each in self.results
        ]
        return {"ok": self.ok, "checks": checks}


async def audit(
    db: Database, *, checks: Sequence[Check] = CHECKS, starts: Callable[[str], None] = lambda _: None
) -> Report:
    """Runs the checks on all tenants' rows, as of one instant.

    All of them run in one read-only transaction with one snapshot (REPEATABLE READ), so the report is consistent even
    while others write; the checks take no locks and block nobody. `starts` is called with the name of each check before
    it runs.
    Raises `Overloaded` if the database is gone or no connection is available.
    """
    try:
        async with (
            db.pool.acquire(timeout=db.acquire_timeout_s) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await audit_here(connection, checks=checks, starts=starts)
    except (TimeoutError, *UNREACHABLE) as error:
        raise Overloaded(f"The database can't be audited right now: {type(error).__name__}.") from error


async def audit_here(
    connection: Connection,
    *,
    checks: Sequence[Check] = CHECKS,
    starts: Callable[[str], None] = lambda _: None,
) -> Report:
    """Audits inside the transaction that is open on `connection`, so it sees uncommitted changes."""
    await connection.execute(PREPARE)
    results: list[Result] = []
    for check in checks:
        starts(check.name)
        started = time.perf_counter()
        count, violations = await _violations(connection, check)
        results.append(Result(check, count, violations, time.perf_counter() - started))
    return Report(tuple(results))


# A role that may see all rows anyway reads them without the policies, which rule out some joins for the planner.
# Whole tables are joined, for which a nested loop is always bad, but the planner chooses one if it believes a table to
# be small, as after a load. (15,000 bookings: 32 s instead of 0.6 s.)
PREPARE = f"""
    SELECT set_config('holdfast.tenants', '*', true),
           set_config('statement_timeout', '{STATEMENT_TIMEOUT_S}s', true),
           set_config('idle_in_transaction_session_timeout', '60s', true),
           set_config('work_mem', '{WORK_MEM_MB}MB', true),
           set_config('enable_nestloop', 'off', true),
           -- What serves requests for few rows does not serve reading them all.
           set_config('enable_seqscan', 'on', true),
           set_config('enable_bitmapscan', 'on', true),
           set_config('enable_sort', 'on', true),
           set_config('enable_hashjoin', 'on', true),
           set_config('enable_mergejoin', 'on', true),
           set_config('enable_material', 'on', true),
           set_config('plan_cache_mode', 'auto', true),
           (SELECT set_config('role', 'none', true) FROM pg_roles
             WHERE rolname = session_user AND (rolsuper OR rolbypassrls))
"""


async def _violations(connection: Connection, check: Check) -> tuple[int, tuple[dict[str, Any], ...]]:
    try:
        async with connection.transaction():
            if check.judge is not None:
                rows = await connection.fetch(check.sql, *check.args)
                return _judged(check.judge, [dict(row) for row in rows])
            rows = await connection.fetch(counted(check.sql), *check.args)
    except asyncpg.DataError as error:
        # A row that can't even be parsed, such as a reply that is not JSON.
        return 1, ({"error": str(error)},)
    return (rows[0]["found"] if rows else 0), tuple(orjson.loads(row["violation"]) for row in rows)


def _judged(judge: Judge, rows: Sequence[dict[str, Any]]) -> tuple[int, tuple[dict[str, Any], ...]]:
    count, shown = 0, list[dict[str, Any]]()
    for violation in judge(rows):
        count += 1
        if count <= SHOWN_MAX:
            shown.append(orjson.loads(encode(violation)))
    return count, tuple(shown)


def counted(sql: str) -> str:
    """Returns a statement for the first SHOWN_MAX rows of another one as JSON, each with the total count."""
    return f"""
    SELECT count(*) OVER () AS found, to_json(violating)::text AS violation
      FROM ({sql}) AS violating
     LIMIT {SHOWN_MAX}"""
