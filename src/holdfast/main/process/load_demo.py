"""`holdfast demo`, and what `holdfast up --demo` does first."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from holdfast.demo.load import TENANT, Loaded, load
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.main.process.database import open_database
from holdfast.main.process.tokens import Persona, personas
from holdfast.main.reactions import engine_over

log = structlog.get_logger(__name__)


async def load_demo(settings: Settings) -> list[str]:
    """One line for each demo venue, which is now in the database of these settings."""
    async with open_database(settings) as database:
        loaded = await _load(database)
    return [f"{each.id}  {each.name}{'' if each.is_new else ' (was there)'}" for each in loaded]


async def load_cast(settings: Settings, url: str) -> list[Persona]:
    """The demo's personas, after its venues were loaded into the database of that URL."""
    database = await Database.connect(url)
    try:
        loaded = await _load(database)
    finally:
        await database.close()
    return personas(settings, tenant=TENANT, venue_id=str(loaded[0].id))


async def _load(database: Database) -> Sequence[Loaded]:
    started = time.monotonic()
    loaded = await load(engine_over(database))
    log.info("demo_loaded", venues=len(loaded), seconds=round(time.monotonic() - started, 2))
    return loaded
