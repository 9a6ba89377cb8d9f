"""SQL on marks of delivery and dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from holdfast.dispatch.reaction import Delivery
from holdfast.kernel.events import Event
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx

TRIES_MAX = 5
"""How often a reaction is tried before its event becomes a dead letter."""

_EVENT = """event.id, event.tenant_id, event.event_type, event.venue_id, event.subject_id, event.payload,
           event.actor, event.created_at, event.traceparent, event.channel"""
FIND_EVENT = f"SELECT {_EVENT} FROM event WHERE tenant_id = $1 AND id = $2"


async def find_event(tx: Tx, delivery: Delivery) -> Event | None:
    """The event; None if it was purged."""
    row = await tx.fetchrow(FIND_EVENT, delivery.tenant_id, delivery.event_id)
    return None if row is None else event_of(row)


def event_of(row: Any) -> Event:
    """The event in a row that has its columns."""
    return Event(
        id=row["id"],
        tenant_id=row["tenant_id"],
        event_type=row["event_type"],
        venue_id=row["venue_id"],
        subject_id=row["subject_id"],
        payload=orjson.loads(row["payload"]),
        actor=row["actor"],
        created_at=row["created_at"],
        traceparent=row["traceparent"],
        channel=row["channel"],
    )


# Whoever else delivers it at this moment is waited for; nothing comes back if it is delivered or dead.
MARK = """
    INSERT INTO delivery (tenant_id, event_id, reaction, delivered_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT ON CONSTRAINT delivery_pkey DO UPDATE SET delivered_at = excluded.delivered_at
     WHERE delivery.delivered_at IS NULL AND delivery.failures < $5
    RETURNING true
"""


async def mark(tx: Tx, delivery: Delivery) -> bool:
    """Whether it was still to be delivered; it is so with this transaction."""
    args = (delivery.tenant_id, delivery.event_id, delivery.reaction, tx.now, TRIES_MAX)
    return await tx.fetchval(MARK, *args) is True


COUNT_FAILURE = """
    INSERT INTO delivery (tenant_id, event_id, reaction, failures, first_failed_at)
    VALUES ($1, $2, $3, 1, $4)
    ON CONFLICT ON CONSTRAINT delivery_pkey
    DO UPDATE SET failures = delivery.failures + 1,
                  first_failed_at = coalesce(delivery.first_failed_at, excluded.first_failed_at)
     WHERE delivery.delivered_at IS NULL AND delivery.failures < $5
    RETURNING failures, first_failed_at
"""


async def count_failure(tx: Tx, delivery: Delivery) -> tuple[int, datetime] | None:
    """How often it has failed now, and since when; None if it is delivered after all, or dead."""
    args = (delivery.tenant_id, delivery.event_id, delivery.reaction, tx.now, TRIES_MAX)
    row = await tx.fetchrow(COUNT_FAILURE, *args)
    return None if row is None else (row[0], row[1])


VANISHED = """
    SELECT count(*) FILTER (WHERE status = 'picked') - count(*) FILTER (WHERE status = 'queued')
      FROM (SELECT status FROM pgqueuer.pgqueuer_log WHERE job_id = $1 ORDER BY created DESC OFFSET 0) AS log
"""


async def count_vanished(tx: Tx, job_id: int) -> int:
    """How many workers vanished with the job in hand: it was picked that many times more often than it was
    put into the queue, the present time not counted."""
    return await tx.fetchval(VANISHED, job_id)


SPEND_TRIES = """
    INSERT INTO delivery (tenant_id, event_id, reaction, failures, first_failed_at)
    VALUES ($1, $2, $3, $5, $4)
    ON CONFLICT ON CONSTRAINT delivery_pkey
    DO UPDATE SET failures = excluded.failures,
                  first_failed_at = coalesce(delivery.first_failed_at, excluded.first_failed_at)
     WHERE delivery.delivered_at IS NULL AND delivery.failures < $5
    RETURNING first_failed_at
"""


async def spend_tries(tx: Tx, delivery: Delivery) -> datetime | None:
    """Leaves it no further try; since when it has failed. None if it is delivered after all, or dead."""
    args = (delivery.tenant_id, delivery.event_id, delivery.reaction, tx.now, TRIES_MAX)
    return await tx.fetchval(SPEND_TRIES, *args)


BURY = """
    INSERT INTO dead_letter (tenant_id, id, event_id, reaction, attempts, error, first_failed_at, dead_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT ON CONSTRAINT dead_letter_is_one_for_each_reaction
    DO UPDATE SET attempts = excluded.attempts, error = excluded.error,
                  first_failed_at = excluded.first_failed_at, dead_at = excluded.dead_at,
                  replayed_at = NULL, replayed_by = NULL
"""


async def bury(tx: Tx, delivery: Delivery, *, attempts: int, error: str, since: datetime) -> None:
    """Makes a dead letter of it, or opens again the one that was replayed."""
    ids = (delivery.tenant_id, new_id(), delivery.event_id, delivery.reaction)
    await tx.execute(BURY, *ids, attempts, error, since, tx.now)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a reaction failed on for good.

    `attempts`: since it was first tried, or last replayed. `error`: what kind of error and where, never
    its text. `delivered_at`: when a replay succeeded.
    """

    id: UUID
    event: Event
    reaction: str
    attempts: int
    error: str
    first_failed_at: datetime
    dead_at: datetime
    replayed_at: datetime | None
    replayed_by: str | None
    delivered_at: datetime | None

    @property
    def delivery(self) -> Delivery:
        return Delivery(self.event.tenant_id, self.event.id, self.event.venue_id, self.reaction)


_LETTER = f"""
    SELECT {_EVENT}, dead.id AS letter_id, dead.reaction, dead.attempts, dead.error, dead.first_failed_at,
           dead.dead_at, dead.replayed_at, dead.replayed_by, delivery.delivered_at
      FROM dead_letter AS dead
      JOIN event ON event.tenant_id = dead.tenant_id AND event.id = dead.event_id
      LEFT JOIN delivery ON delivery.tenant_id = dead.tenant_id AND delivery.event_id = dead.event_id
                        AND delivery.reaction = dead.reaction"""

LIST = f"""{_LETTER}
     WHERE ($1::uuid IS NULL OR dead.tenant_id = $1) AND dead.id < $2
       AND ($3::uuid[] IS NULL OR event.venue_id = ANY ($3))
       AND ($4 OR dead.replayed_at IS NULL)
     ORDER BY dead.id DESC
     LIMIT $5
"""
LAST = UUID(int=2**128 - 1)


async def letters(
    tx: Tx, *, tenant_id: UUID | None, replayed: bool, before: UUID | None, limit: int
) -> list[DeadLetter]:
    """Dead letters that the actor may see, the newest first; `replayed`: those that were replayed as well."""
    venues = None if tx.actor.venue_ids is None else list(tx.actor.venue_ids)
    rows = await tx.fetch(LIST, tenant_id, before or LAST, venues, replayed, limit)
    return [_letter(row) for row in rows]


FIND = f"{_LETTER} WHERE dead.id = $1"
FIND_FOR_UPDATE = f"{FIND} FOR UPDATE OF dead"


async def find(tx: Tx, letter_id: UUID, *, for_update: bool = False) -> DeadLetter | None:
    """The dead letter, locked if asked."""
    row = await tx.fetchrow(FIND_FOR_UPDATE if for_update else FIND, letter_id)
    return None if row is None else _letter(row)


REOPEN = """
    WITH replayed AS (
        UPDATE dead_letter SET replayed_at = $4, replayed_by = $5
         WHERE tenant_id = $1 AND event_id = $2 AND reaction = $3 AND replayed_at IS NULL
     RETURNING tenant_id, event_id, reaction
    )
    UPDATE delivery SET failures = 0, first_failed_at = NULL
      FROM replayed
     WHERE delivery.tenant_id = replayed.tenant_id AND delivery.event_id = replayed.event_id
       AND delivery.reaction = replayed.reaction
    RETURNING true
"""


async def reopen(tx: Tx, delivery: Delivery) -> bool:
    """Whether the letter was still dead; it may be tried again from now on."""
    args = (delivery.tenant_id, delivery.event_id, delivery.reaction, tx.now, str(tx.actor))
    return await tx.fetchval(REOPEN, *args) is True


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(
        id=row["letter_id"],
        event=event_of(row),
        reaction=row["reaction"],
        attempts=row["attempts"],
        error=row["error"],
        first_failed_at=row["first_failed_at"],
        dead_at=row["dead_at"],
        replayed_at=row["replayed_at"],
        replayed_by=row["replayed_by"],
        delivered_at=row["delivered_at"],
    )
