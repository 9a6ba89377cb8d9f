"""The epoch: which history of the database positions belong to."""

from __future__ import annotations

from holdfast.kernel.tx import Tx

EPOCH = "SELECT event_epoch_now()"


async def epoch(tx: Tx) -> str:
    """8 hex digits, another whenever positions may mean other events than before: after a restore, a fail-over or a
    move to another server. A cursor is an epoch and a position."""
    return await tx.fetchval(EPOCH)
