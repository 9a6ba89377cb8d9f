"""Channels of days that nobody asks for any more are closed."""

from __future__ import annotations

from datetime import timedelta

from holdfast.channel import store
from holdfast.kernel.tx import Tx

KEPT_FOR = timedelta(days=7)
OPEN_FOR_MIN = timedelta(hours=1)


async def close_channels(tx: Tx, limit: int) -> int:
    """Closes up to `limit` channels of days more than KEPT_FOR ago; answers how many. A tick."""
    return await store.forget(
        tx, before=(tx.now - KEPT_FOR).date(), opened_before=tx.now - OPEN_FOR_MIN, limit=limit
    )
