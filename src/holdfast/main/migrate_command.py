"""`holdfast migrate`."""

from __future__ import annotations

from holdfast.kernel.config import Settings
from holdfast.kernel.embedded import create_database
from holdfast.main.database import embedded_server
from holdfast.main.migrate import migrate, migrate_back, newest


async def migrate_command(settings: Settings, *, down_to: str | None) -> str:
    """What was done, as a sentence, to the database of `database_url` or the embedded one."""
    if settings.database_url:
        return await _migrate(settings.database_url, down_to)
    async with embedded_server(settings) as (_, server):
        await create_database(server)
        return await _migrate(server.url(), down_to)


async def _migrate(url: str, down_to: str | None) -> str:
    if down_to is not None:
        await migrate_back(url, to=down_to)
        return f"The schema is back at revision {down_to}."
    changed = await migrate(url)
    return f"The schema is {'now' if changed else 'already'} at revision {newest()}."
