"""Changes a block, by giving it another reason or ending its recurrence, or removes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from holdfast.block import store
from holdfast.block.expand import occurrences_of
from holdfast.block.model import Block, BlockStep
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Shift
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest, NotFound, VersionConflict
from holdfast.place.venue import Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockChange:
    """What to change. None leaves a value as it is. `expected_version`: the version that the caller last read."""

    block_id: UUID
    expected_version: int
    reason: str | None = None
    cancelled_from: date | None = None


async def change(tx: Tx, asked: BlockChange, *, venue: Venue) -> Block:
    """Changes the block and returns it. Occurrences on or after `cancelled_from`, a local date of the block, are
    dropped and their time becomes free, even if one is under way. Earlier ones stay.

    That date can be moved earlier but not later, because somebody else may have taken the time after it: that takes
    a new block. A block with no occurrences left is removed. Runs under the lock of `venue`. Raises NotFound,
    VersionConflict, InvalidRequest.
    """
    before = await _lock(tx, venue, asked.block_id, asked.expected_version)
    after = replace(
        before,
        reason=asked.reason or before.reason,
        cancelled_from=_earlier(before, asked.cancelled_from),
        version=before.version + 1,
        updated_at=tx.now,
    )
    left = occurrences_of(after)
    if not left:
        after = replace(after, removed_at=tx.now)
    elif asked.cancelled_from is not None:
        after = replace(after, last_at=left[-1].span.end)
    gone = occurrences_of(before)[len(left) :]
    freed: list[Claim] = []
    if gone:
        starts_from = gone[0].span.start
        freed = await claims.drop(tx, tenant_id=before.tenant_id, owner_id=before.id, starts_from=starts_from)
    await _write(tx, before, after, freed, venue=venue)
    return after


async def remove(tx: Tx, block_id: UUID, *, expected_version: int, venue: Venue) -> Block:
    """Removes the block and returns it. All its time that is not over becomes free, including an occurrence under way.

    Runs under the lock of `venue`. Raises NotFound, VersionConflict.
    """
    before = await _lock(tx, venue, block_id, expected_version)
    after = replace(before, removed_at=tx.now, version=before.version + 1, updated_at=tx.now)
    freed = await claims.drop(tx, tenant_id=before.tenant_id, owner_id=before.id, ends_after=tx.now)
    await _write(tx, before, after, freed, venue=venue)
    return after


async def _lock(tx: Tx, venue: Venue, block_id: UUID, expected_version: int) -> Block:
    block = await store.lock(tx, venue.tenant_id, block_id)
    if block.version != expected_version:
        raise VersionConflict(
            f"The block is at version {block.version}, not {expected_version}: "
            "read it again and repeat the change with its current version.",
            current_version=block.version,
        )
    if block.removed_at is not None:
        raise NotFound(f"The block {block_id} was removed at {block.removed_at.isoformat()}: make a new one.")
    return block


def _earlier(before: Block, asked: date | None) -> date | None:
    if asked is None or before.cancelled_from is None or asked <= before.cancelled_from:
        return before.cancelled_from if asked is None else asked
    raise InvalidRequest.of(
        "cancelled_from",
        asked.isoformat(),
        f"can't be later than it is now, {before.cancelled_from.isoformat()}: the time after that is free again, "
        "so make a new block for it",
    )


async def _write(tx: Tx, before: Block, after: Block, freed: list[Claim], *, venue: Venue) -> None:
    changes: dict[str, Any] = {
        name: getattr(after, name)
        for name in ("reason", "cancelled_from", "removed_at")
        if getattr(after, name) != getattr(before, name)
    }
    action = "update" if after.removed_at is None else "remove"
    await store.save(tx, BlockStep(after, action, str(tx.actor), changes, tx.traceparent))
    if freed:
        await announce(tx, venue, Shift(freed=freed), reason=after.reason)
