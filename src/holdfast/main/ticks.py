"""Everything that happens because time passes, on one page."""

from __future__ import annotations

from datetime import timedelta

from holdfast.booking import due
from holdfast.claim import store as claims
from holdfast.kernel import idempotency
from holdfast.kernel.tx import Tx
from holdfast.main.tick import Tick

NIGHTLY_S = 24 * 3600.0
ARCHIVED_AFTER = timedelta(days=1)


async def archive_claims(tx: Tx, limit: int) -> int:
    """Moves claims that were over a day ago out of the ledger; answers how many."""
    return await claims.archive(tx, before=tx.now - ARCHIVED_AFTER, limit=limit)


async def purge_idempotency(tx: Tx, limit: int) -> int:
    """Removes replies past their time; answers how many."""
    return await idempotency.purge(tx, limit=limit)


TICKS = (
    Tick(name="expire", period_s=1.0, verb=due.expire, batch=100),
    Tick(name="no_show", period_s=10.0, verb=due.no_show, batch=100),
    Tick(name="complete", period_s=10.0, verb=due.complete, batch=100),
    Tick(name="archive_claims", period_s=NIGHTLY_S, verb=archive_claims, batch=1_000),
    Tick(name="purge_idempotency", period_s=3600.0, verb=purge_idempotency, batch=1_000),
)
