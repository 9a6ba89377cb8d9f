"""SQL on jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from holdfast.job.model import Job, event_from
from holdfast.kernel.db.tx import Tx, encode_text


class LeaseLost(Exception):
    """Another worker has taken over the job."""


ENQUEUE = """
    INSERT INTO job (tenant_id, id, lane, reaction, venue_id, event)
    SELECT tenant_id, id, lane, reaction, venue_id, event
      FROM json_populate_recordset(NULL::job, $1::text::json)
"""


async def enqueue(tx: Tx, jobs: Sequence[Job]) -> None:
    """Inserts jobs; they exist if the transaction commits."""
    rows = [
        {
            "tenant_id": each.event.tenant_id,
            "id": each.id,
            "lane": each.lane,
            "reaction": each.reaction,
            "venue_id": each.event.venue_id,
            "event": each.event,
        }
        for each in jobs
    ]
    await tx.execute(ENQUEUE, encode_text(rows))


EXPIRE = """
    WITH silent AS (
        SELECT tenant_id, id FROM job
         WHERE lane = $1 AND leased_until < statement_timestamp()
         ORDER BY turn LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE job SET leased_until = NULL, vanished = vanished + 1
     WHERE tenant_id = (SELECT tenant_id FROM silent) AND id = (SELECT id FROM silent)
"""

# Few rows are read, however many jobs a venue has: if the oldest jobs are all of venues that have a running job, the
# query reads the first job of each venue instead, by hopping along an index. statement_timestamp() is stable, so it can
# bound an index scan; clock_timestamp() is not, which forces the last lookup to use the key.
# ORDER BY, LATERAL with OFFSET 0 and the scalar subqueries rule out other plans, even one made for an empty table.
TAKE = """
    WITH RECURSIVE oldest AS MATERIALIZED (
        SELECT tenant_id, id, turn, due_at, leases FROM job
         WHERE lane = $1 AND due_at <= statement_timestamp() AND reaction = ANY ($2::text[])
         ORDER BY due_at LIMIT 100
    ), held AS MATERIALIZED (
        SELECT turn FROM job WHERE lane = $1 AND leased_until IS NOT NULL ORDER BY turn
    ), free AS MATERIALIZED (
        SELECT tenant_id, id, due_at, leases FROM oldest WHERE turn NOT IN (SELECT turn FROM held)
    ), first AS (
        (SELECT 1 AS nth, tenant_id, id, turn, due_at, leases FROM job
          WHERE lane = $1 AND leased_until IS NULL
            AND NOT EXISTS (SELECT FROM free) AND (SELECT count(*) FROM oldest) = 100
          ORDER BY turn, due_at LIMIT 1)
         UNION ALL
        SELECT nth + 1, following.* FROM first, LATERAL (
               SELECT tenant_id, id, turn, due_at, leases FROM job
                WHERE lane = $1 AND leased_until IS NULL AND turn > first.turn
                ORDER BY turn, due_at LIMIT 1) AS following
         WHERE nth < 1000
    ), found AS (
        SELECT tenant_id, id, due_at, leases FROM free
         UNION ALL
        SELECT tenant_id, id, due_at, leases FROM first WHERE turn NOT IN (SELECT turn FROM held)
    ), next AS (
        SELECT job.tenant_id, job.id
          FROM (SELECT tenant_id, id, leases FROM found ORDER BY due_at) AS found,
               LATERAL (SELECT tenant_id, id FROM job
                         WHERE job.tenant_id = found.tenant_id AND job.id = found.id AND job.leases = found.leases
                           AND due_at <= clock_timestamp() AND reaction = ANY ($2::text[])
                        OFFSET 0 FOR UPDATE SKIP LOCKED) AS job
         LIMIT 1
    )
    UPDATE job SET leases = leases + 1, leased_until = clock_timestamp() + $3
     WHERE tenant_id = (SELECT tenant_id FROM next) AND id = (SELECT id FROM next)
    RETURNING id, event, lane, reaction, leases AS lease, failures, vanished
"""


async def take(tx: Tx, lane: str, reactions: Sequence[str], *, lease_s: float) -> Job | None:
    """Leases the lane's most overdue job; returns None if there is none. A venue with a leased job has to wait, so that
    others get their turn.

    First it ends one expired lease, whose worker has vanished. Raises LeaseLost if another worker takes a job of the
    same venue at the same moment.
    """
    await tx.execute(EXPIRE, lane)
    try:
        row = await tx.fetchrow(TAKE, lane, list(reactions), timedelta(seconds=lease_s))
    except asyncpg.UniqueViolationError:
        raise LeaseLost from None
    return None if row is None else Job(**{**dict(row), "event": event_from(row["event"])})


RENEW = """
    UPDATE job SET leased_until = clock_timestamp() + $4
     WHERE tenant_id = $1 AND id = $2 AND leases = $3 AND leased_until IS NOT NULL
"""


async def renew(tx: Tx, job: Job, *, lease_s: float) -> None:
    """Renews the lease. Raises LeaseLost."""
    _check(await tx.execute(RENEW, *_key(job), timedelta(seconds=lease_s)))


GIVE_BACK = """
    UPDATE job SET leased_until = NULL, due_at = clock_timestamp()
     WHERE tenant_id = $1 AND id = $2 AND leases = $3
"""


async def give_back(tx: Tx, job: Job) -> None:
    """Releases the lease, so that any worker can take the job. Does nothing if another worker has it."""
    await tx.execute(GIVE_BACK, *_key(job))


FINISH = """
    WITH done AS (
        DELETE FROM job WHERE tenant_id = $1 AND id = $2 AND leases = $3 RETURNING true
    ), delivered AS (
        UPDATE dead_letter SET delivered_at = $4 WHERE tenant_id = $1 AND id = $2 AND EXISTS (SELECT FROM done)
    )
    SELECT true FROM done
"""


async def finish(tx: Tx, job: Job) -> None:
    """Marks the job as done by deleting its row, if the transaction commits. Raises LeaseLost."""
    if await tx.fetchval(FINISH, *_key(job), tx.now) is not True:
        raise LeaseLost


FAIL = """
    UPDATE job SET failures = failures + 1, first_failed_at = coalesce(first_failed_at, $4),
                   leased_until = NULL, due_at = clock_timestamp() + $5
     WHERE tenant_id = $1 AND id = $2 AND leases = $3
"""


async def fail(tx: Tx, job: Job, *, retry_s: float) -> None:
    """Records a failure and schedules a retry after that many seconds. Raises LeaseLost."""
    _check(await tx.execute(FAIL, *_key(job), tx.now, timedelta(seconds=retry_s)))


BURY = """
    WITH dead AS (
        DELETE FROM job WHERE tenant_id = $1 AND id = $2 AND leases = $3
     RETURNING tenant_id, id, lane, reaction, venue_id, event, coalesce(first_failed_at, $4) AS first_failed_at
    )
    INSERT INTO dead_letter (tenant_id, id, lane, reaction, venue_id, event, attempts, error, first_failed_at, dead_at)
    SELECT tenant_id, id, lane, reaction, venue_id, event, $5, $6, first_failed_at, $4 FROM dead
    ON CONFLICT ON CONSTRAINT dead_letter_pkey
    DO UPDATE SET attempts = excluded.attempts, error = excluded.error,
                  first_failed_at = excluded.first_failed_at, dead_at = excluded.dead_at,
                  replayed_at = NULL, replayed_by = NULL, delivered_at = NULL
"""


async def bury(tx: Tx, job: Job, *, attempts: int, error: str) -> None:
    """Turns the job into a dead letter, or reopens the one it was replayed from. Raises LeaseLost."""
    _check(await tx.execute(BURY, *_key(job), tx.now, attempts, error))


def _key(job: Job) -> tuple[UUID, UUID, int]:
    return job.event.tenant_id, job.id, job.lease


def _check(result: str) -> None:
    if result.endswith(" 0"):
        raise LeaseLost


# Hops from lane to lane along the index, so it reads one row per lane.
LAGS = """
    WITH RECURSIVE oldest AS (
        (SELECT lane, due_at FROM job ORDER BY lane, due_at LIMIT 1)
         UNION ALL
        SELECT following.* FROM oldest, LATERAL (
               SELECT lane, due_at FROM job WHERE job.lane > oldest.lane ORDER BY lane, due_at LIMIT 1) AS following
    )
    SELECT lane, greatest(extract(epoch FROM clock_timestamp() - due_at), 0)::float8 AS lag_s FROM oldest
"""
EVENT_LAG = """
    SELECT greatest(extract(epoch FROM clock_timestamp() - (
        SELECT event.written_at FROM (SELECT tenant_id, event_id FROM event_new ORDER BY seq LIMIT 1) AS oldest
          JOIN event ON event.tenant_id = oldest.tenant_id AND event.id = oldest.event_id)), 0)::float8
"""


async def lags(tx: Tx) -> tuple[dict[str, float], float]:
    """Returns how long the most overdue job of each lane with jobs has been due, and the age of the oldest event
    without a position, in seconds."""
    by_lane = {row["lane"]: row["lag_s"] for row in await tx.fetch(LAGS)}
    return by_lane, await tx.fetchval(EVENT_LAG) or 0.0
