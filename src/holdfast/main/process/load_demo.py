"""`holdfast demo`, and the first step of `holdfast up --demo`."""

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
    """Loads the demo venues into the settings' database; returns one line for each."""
    async with open_database(settings) as database:
        loaded = await _load(database)
    return [f"{each.id}  {each.name}{'' if each.is_new else ' (was there)'}" for each in loaded]


async def load_cast(settings: Settings, url: str) -> list[Persona]:
    """Loads the demo venues into the database at that URL; returns the demo's personas."""
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
