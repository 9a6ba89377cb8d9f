"""One answer per idempotency key (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import asyncpg
import orjson

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.encode import encode_text
from holdfast.kernel.errors import HoldfastError, IdempotencyConflict, kind_of

T = TypeVar("T")

DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Reply:
    """A first answer as it was given: `code` is DONE or the refusal's; `body` its JSON."""

    code: str
    body: str
    request_hash: bytes = b""

    def for_request(self, request_hash: bytes) -> Reply:
        """This reply, if it answered that very request. Raises IdempotencyConflict."""
        if self.request_hash != request_hash:
            raise IdempotencyConflict
        return self


class StoredRefusal(HoldfastError):
    """A refusal given before, given again."""

    def __init__(self, reply: Reply) -> None:
        stored = orjson.loads(reply.body)
        self.code, self.kind = reply.code, kind_of(reply.code)
        super().__init__(stored["detail"], **stored["fields"])


def request_hash(actor: Actor, request: bytes) -> bytes:
    """SHA-256 over who asks for what: somebody else's key gives nobody an answer that isn't theirs."""
    return hashlib.sha256(str(actor).encode() + b"\0" + request).digest()


def refusal_body(error: HoldfastError) -> str:
    """The refusal as it is stored."""
    return orjson.dumps({"detail": error.detail, "fields": error.fields}, default=str).decode()


def keep_from(parameter: str) -> str:
    """The INSERT that keeps replies given as one JSON array in the named parameter."""
    return f"""
    INSERT INTO idempotency (tenant_id, operation, key, request_hash, code, body, subject_id,
                             created_at, expires_at)
    SELECT tenant_id, operation, key, request_hash, code, body, subject_id, created_at, expires_at
      FROM json_populate_recordset(NULL::idempotency, {parameter}::text::json)"""


KEEP = keep_from("$1")


# LATERAL with OFFSET 0: one probe for each key, whatever the planner believes of the table's size.
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
    """Removes the replies kept under these (tenant, key) pairs."""
    await tx.execute(FORGET, [tenant for tenant, _ in keys], [key for _, key in keys], operation)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A change that was asked for under an idempotency key."""

    tenant_id: UUID
    operation: str
    key: str
    request_hash: bytes
    ttl_hours: int = 24


def row(keyed: Keyed, reply: Reply, *, now: datetime, subject_id: UUID | None = None) -> dict[str, Any]:
    """One element of the array that `keep_from` writes."""
    return {
        "tenant_id": keyed.tenant_id,
        "operation": keyed.operation,
        "key": keyed.key,
        "request_hash": f"\\x{reply.request_hash.hex()}",
        "code": reply.code,
        "body": reply.body,
        "subject_id": subject_id,
        "created_at": now,
        "expires_at": now + timedelta(hours=keyed.ttl_hours),
    }


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What came of a change. `value`: what was done; None when the reply is a stored one, or a refusal."""

    reply: Reply
    value: T | None = None


async def once(
    tx: Tx, keyed: Keyed | None, change: Callable[[], Awaitable[T]], show: Callable[[T], Any]
) -> Done[T]:
    """What `change` did and its reply, `show` of its value as JSON; or the reply given the first time it was
    asked for under that key.

    A final refusal is stored too and comes back as a Reply with its code, so that the transaction commits
    it; other refusals are raised. Raises IdempotencyConflict.
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
        if not error.kind.is_final:
            raise
        done = Done(Reply(error.code, refusal_body(error), keyed.request_hash))
    try:
        await tx.execute(KEEP, encode_text([row(keyed, done.reply, now=tx.now)]))
    except asyncpg.UniqueViolationError as error:
        # Used at this very moment for something else, at another venue.
        raise IdempotencyConflict from error
    return done


FIND = """
    SELECT code, body, request_hash, expires_at
      FROM idempotency
     WHERE tenant_id = $1 AND operation = $2 AND key = $3
"""


async def find(tx: Tx, keyed: Keyed) -> Reply | None:
    """The reply kept under the key, or None; one past its time is removed."""
    found = await tx.fetchrow(FIND, keyed.tenant_id, keyed.operation, keyed.key)
    if found is None:
        return None
    if found["expires_at"] <= tx.now:
        await forget(tx, [(keyed.tenant_id, keyed.key)], operation=keyed.operation)
        return None
    return Reply(found["code"], found["body"], found["request_hash"])


async def kept(tx: Tx, keyed: Keyed) -> Reply | None:
    """The same without removing anything, for a transaction that only reads."""
    found = await tx.fetchrow(FIND, keyed.tenant_id, keyed.operation, keyed.key)
    if found is None or found["expires_at"] <= tx.now:
        return None
    return Reply(found["code"], found["body"], found["request_hash"])


PURGE = """
    DELETE FROM idempotency
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE expires_at <= $1 LIMIT $2))
"""


async def purge(tx: Tx, *, limit: int) -> int:
    """Removes up to `limit` replies that are past their time; answers how many."""
    return int((await tx.execute(PURGE, tx.now, limit)).split()[-1])
