"""Everything that runs periodically, on one page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from holdfast.booking import bind, due
from holdfast.booking.making import usage_store
from holdfast.claim import store as claims
from holdfast.engine import Engine
from holdfast.event import months
from holdfast.job.letters import purge_dead_letters
from holdfast.kernel.db import idempotency
from holdfast.kernel.db.tx import Tx
from holdfast.live.channels import CLOSED_AFTER, close_channels
from holdfast.waitlist import react

HOURLY_S = 3600.0
NIGHTLY_S = 24 * 3600.0
DUE_AT_ONCE = 50
"""Bookings handled in one transaction, which holds the locks of their venues."""
ARCHIVED_AFTER = 2 * CLOSED_AFTER
"""No channel shows days that old any more, so archiving changes no snapshot and needs no event."""


async def archive_claims(tx: Tx, limit: int) -> int:
    """Archives claims that ended more than ARCHIVED_AFTER ago. Returns the number moved."""
    return await claims.archive(tx, before=tx.now - ARCHIVED_AFTER, limit=limit)


async def purge_idempotency(tx: Tx, limit: int) -> int:
    """Deletes expired replies. Returns the number deleted."""
    return await idempotency.purge(tx, limit=limit)


@dataclass(frozen=True, slots=True)
class Tick:
    """Periodic work, in one transaction per batch.

    `verb(tx, batch)` handles up to `batch` rows in one transaction and returns the number handled; it must be safe to
    run twice, also at the same time in two workers. `period_s`: the pause after a run that left nothing to do, give or
    take a fifth. `name`: for logs and metrics.

    `tenants(tx, batch)`: returns tenants with work to do; each then gets its own transaction, so that no tenant's
    venues stay locked while another's rows are handled. None: one transaction for all tenants.
    """

    name: str
    period_s: float
    verb: Callable[[Tx, int], Awaitable[int]]
    batch: int
    tenants: Callable[[Tx, int], Awaitable[Sequence[UUID]]] | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Periodic work that runs its own transactions, for instance because it computes for long between them.

    `run(engine)` returns the number of rows handled; it must be safe to run twice, also at the same time in two
    workers.
    """

    name: str
    period_s: float
    run: Callable[[Engine], Awaitable[int]]


TICKS: tuple[Tick, ...] = (
    Tick("expire", 1.0, due.expire, DUE_AT_ONCE, due.tenants_with(due.EXPIRE)),
    Tick("no_show", 10.0, due.no_show, DUE_AT_ONCE, due.tenants_with(due.NO_SHOW)),
    Tick("complete", 10.0, due.complete, DUE_AT_ONCE, due.tenants_with(due.COMPLETE)),
    Tick("bind", 60.0, bind.bind_due, DUE_AT_ONCE, bind.tenants_to_bind),
    Tick(name="forget_addresses", period_s=HOURLY_S, verb=usage_store.forget, batch=1_000),
    Tick(name="archive_claims", period_s=HOURLY_S, verb=archive_claims, batch=1_000),
    Tick(name="close_channels", period_s=NIGHTLY_S, verb=close_channels, batch=1_000),
    Tick(name="purge_idempotency", period_s=60.0, verb=purge_idempotency, batch=1_000),
    Tick(name="add_event_months", period_s=HOURLY_S, verb=months.add_months, batch=1),
    Tick(name="drop_event_months", period_s=HOURLY_S, verb=months.drop_months, batch=1_000),
    Tick(name="purge_dead_letters", period_s=NIGHTLY_S, verb=purge_dead_letters, batch=1_000),
)
ROUNDS = (Round("sweep_waitlists", react.SWEEP_S, react.sweep),)
"""Work that takes more than one transaction."""
