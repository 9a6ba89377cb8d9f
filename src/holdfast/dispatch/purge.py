"""Removing what is old: events with their marks of delivery, replayed dead letters, notes of jobs.

Each verb here is a tick: bounded, safe on any number of workers, and to run again.
"""

from __future__ import annotations

from datetime import timedelta

from holdfast.kernel.tx import Tx

EVENTS_KEPT_DAYS = 30
"""As the functions of the database have it."""
JOB_LOG_KEPT_DAYS = 1

PURGE_EVENTS = "SELECT purge_events($1)"


async def purge_events(tx: Tx, limit: int) -> int:
    """Removes events that were written more than EVENTS_KEPT_DAYS ago, with their marks of delivery;
    answers how many were looked through.

    It goes through them in commit order, behind a cursor of its own that never overtakes the dispatcher's:
    what no job was made of yet stays, and so does what a dead letter is about. Readers of the feed compare
    their place with that cursor.
    """
    return await tx.fetchval(PURGE_EVENTS, limit)


PURGE_DEAD_LETTERS = "SELECT purge_dead_letters($1)"


async def purge_dead_letters(tx: Tx, limit: int) -> int:
    """Removes dead letters that were replayed more than EVENTS_KEPT_DAYS ago, with the events that only
    they have kept; answers how many. Those that nobody replayed stay for good."""
    return await tx.fetchval(PURGE_DEAD_LETTERS, limit)


TRIM = """
    WITH gone AS (
        DELETE FROM pgqueuer.pgqueuer_log
         WHERE id IN (SELECT id FROM pgqueuer.pgqueuer_log WHERE created < $1 ORDER BY created LIMIT $2)
     RETURNING 1
    )
    SELECT count(*) FROM gone
"""


async def purge_job_log(tx: Tx, limit: int) -> int:
    """Removes what the library noted of jobs more than JOB_LOG_KEPT_DAYS ago; answers how many rows."""
    return await tx.fetchval(TRIM, tx.now - timedelta(days=JOB_LOG_KEPT_DAYS), limit)
