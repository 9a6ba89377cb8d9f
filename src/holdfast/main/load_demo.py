"""`holdfast demo`, and what `holdfast up --demo` does first."""

from __future__ import annotations

import time

import structlog

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.config import Settings
from holdfast.kernel.db import Database, Tx
from holdfast.main.database import open_database
from holdfast.main.outcome import Failed
from holdfast.main.tokens import DEMO_TENANT

log = structlog.get_logger(__name__)


async def load_demo(settings: Settings) -> None:
    """The demo's tenants and venues are in the database of these settings."""
    async with open_database(settings) as database:
        await load_demo_into(database)


async def load_demo_into(database: Database) -> str:
    """The same for an open one; the id of the venue that examples speak of."""
    from holdfast.demo.load import load

    started = time.monotonic()
    await load(database)
    log.info("demo_loaded", seconds=round(time.monotonic() - started, 2))
    return await database.run(SYSTEM, _first_venue, DEMO_TENANT)


FIRST_VENUE = """
    SELECT venue.id
      FROM venue JOIN tenant ON tenant.id = venue.tenant_id
     WHERE tenant.slug = $1
     ORDER BY venue.slug
     LIMIT 1
"""


async def _first_venue(tx: Tx, tenant: str) -> str:
    found = await tx.fetchval(FIRST_VENUE, tenant)
    if found is None:
        raise Failed(f"The demo has no venue of the tenant {tenant}.")
    return str(found)
