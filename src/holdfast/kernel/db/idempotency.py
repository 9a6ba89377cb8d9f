"""Idempotency keys: one reply per key (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import asyncpg
import orjson

from holdfast.kernel.db.tx import Tx, encode_text
from holdfast.kernel.errors import HoldfastError, IdempotencyConflict, kind_of
from holdfast.kernel.value import value

T = TypeVar("T")

DONE = "DONE"


@value()
class Reply:
    """The first reply to a request. `code`: DONE, or the refusal's code; `body`: its JSON."""

    code: str
    body: str
    request_hash: bytes = b""

    def for_request(self, request_hash: bytes) -> Reply:
        """Returns this reply if it belongs to that request. Raises IdempotencyConflict."""
        if self.request_hash != request_hash:
            raise IdempotencyConflict
        return self


class StoredRefusal(HoldfastError):
    """A stored refusal, raised again."""

    def __init__(self, reply: Reply) -> None:
        stored = orjson.loads(reply.body)
        self.code, self.kind = reply.code, kind_of(reply.code)
        super().__init__(stored["detail"], **stored["fields"])


def refusal_body(error: HoldfastError) -> str:
    """Returns the JSON that is stored for a refusal."""
    return orjson.dumps({"detail": error.detail, "fields": error.fields}, default=str).decode()


def keep_from(parameter: str) -> str:
    """Returns the INSERT that stores replies, passed as one JSON array in the named parameter."""
    return f"""
    INSERT INTO idempotency (tenant_id, operation, key, request_hash, code, body, subject_id,
                             created_at, expires_at)
    SELECT tenant_id, operation, key, request_hash, code, body, subject_id, created_at, expires_at
      FROM json_populate_recordset(NULL::idempotency, {parameter}::text::json)"""


KEEP = keep_from("$1")


# LATERAL with OFFSET 0: one index lookup per key, whatever the planner estimates for the table.
FORGET = """
    DELETE FROM idempotency
     WHERE ctid = ANY (ARRAY(
           SELECT found.ctid
             FROM unnest($1::uuid[], $2::text[]) AS old (tenant_id, key),
                  LATERAL (SELECT ctid FROM idempotency
                            WHERE idempotency.tenant_id = old.tenant_id AND operation = $3
                              AND idempotency.key = old.key OFFSET 0) AS found))
"""


async def forget(tx: Tx, keys: Sequence[tuple[UUID, str]], *, operation: str) -> None:
    """Deletes the replies stored under these (tenant, key) pairs."""
    await tx.execute(FORGET, [tenant for tenant, _ in keys], [key for _, key in keys], operation)


@dataclass(frozen=True, slots=True)
class Keyed:
    """The idempotency key of a change, with its scope."""

    tenant_id: UUID
    operation: str
    key: str
    request_hash: bytes
    ttl_hours: int = 24


@value(kw_only=True)
class Row:
    """A row of table `idempotency`: an element of the array that `keep_from` inserts. `request_hash`: as bytea text."""

    tenant_id: UUID
    operation: str
    key: str
    request_hash: str
    code: str
    body: str
    subject_id: UUID | None = None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The outcome of a change. `value`: the change's result; None for a stored reply or a refusal."""

    reply: Reply
    value: T | None = None


async def once(
    tx: Tx, keyed: Keyed | None, change: Callable[[], Awaitable[T]], show: Callable[[T], Any]
) -> Done[T]:
    """Runs `change` once per key. Returns its value with the reply (`show` of the value as JSON), or the stored reply.

    A final refusal is stored and returned as a Reply with its code, so that the transaction commits it; other refusals
    are raised. Raises IdempotencyConflict.
    """
    if keyed is None:
        value = await change()
        return Done(Reply(DONE, encode_text(show(value))), value)
    stored = await find(tx, keyed)
    if stored is not None:
        return Done(stored.for_request(keyed.request_hash))
    try:
        async with tx.savepoint():
            value = await change()
        done = Done(Reply(DONE, encode_text(show(value)), keyed.request_hash), value)
    except HoldfastError as error:
        if not error.is_final:
            raise
        done = Done(Reply(error.code, refusal_body(error), keyed.request_hash))
    try:
        await tx.execute(KEEP, encode_text([_row(keyed, done.reply, now=tx.now)]))
    except asyncpg.UniqueViolationError as error:
        # The key is being used at this moment for another request, at another venue.
        raise IdempotencyConflict from error
    return done


def _row(keyed: Keyed, reply: Reply, *, now: datetime) -> Row:
    return Row(
        tenant_id=keyed.tenant_id,
        operation=keyed.operation,
        key=keyed.key,
        request_hash=f"\\x{reply.request_hash.hex()}",
        code=reply.code,
        body=reply.body,
        created_at=now,
        expires_at=now + timedelta(hours=keyed.ttl_hours),
    )


FIND = """
    SELECT code, body, request_hash, expires_at
      FROM idempotency
     WHERE tenant_id = $1 AND operation = $2 AND key = $3
"""


async def find(tx: Tx, keyed: Keyed) -> Reply | None:
    """Returns the reply stored under the key, or None. Deletes it if it has expired."""
    found = await tx.fetchrow(FIND, keyed.tenant_id, keyed.operation, keyed.key)
    if found is None:
        return None
    if found["expires_at"] <= tx.now:
        await forget(tx, [(keyed.tenant_id, keyed.key)], operation=keyed.operation)
        return None
    return Reply(found["code"], found["body"], found["request_hash"])


async def kept(tx: Tx, keyed: Keyed) -> Reply | None:
    """Like `find`, but deletes nothing: for read-only transactions."""
    found = await tx.fetchrow(FIND, keyed.tenant_id, keyed.operation, keyed.key)
    if found is None or found["expires_at"] <= tx.now:
        return None
    return Reply(found["code"], found["body"], found["request_hash"])


PURGE = """
    DELETE FROM idempotency
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE expires_at <= $1 LIMIT $2))
"""


async def purge(tx: Tx, *, limit: int) -> int:
    """Deletes up to `limit` expired replies. Returns the number deleted."""
    return int((await tx.execute(PURGE, tx.now, limit)).split()[-1])
