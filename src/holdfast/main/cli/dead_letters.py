"""`holdfast dead-letters`: lists, shows and replays them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

import orjson
from rich.console import Console
from rich.table import Table

from holdfast.job import letters
from holdfast.job.model import DeadLetter
from holdfast.job.shown import letter_shown
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.config import Settings
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import InvalidRequest
from holdfast.main.process.database import existing_database
from holdfast.place.kept import Tenant
from holdfast.place.reach import own_tenant
from holdfast.place.store import get_tenant

P = ParamSpec("P")
T = TypeVar("T")
LISTED_MAX = 500


async def list_command(settings: Settings, *, tenant: str | None, replayed: bool, as_json: bool) -> None:
    """Prints up to LISTED_MAX dead letters: a table, or with `as_json` one JSON object per line."""
    found = await _run(settings, _listed, tenant, replayed=replayed)
    if as_json:
        for letter, owner in found:
            print(encode(letter_shown(letter, owner)).decode())
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", min_width=36)  # never truncated, to be copied
    for name in ("tenant", "reaction", "event", "error", "dead at"):
        table.add_column(name, overflow="fold")
    for letter, owner in found:
        dead_at = f"{letter.dead_at:%Y-%m-%d %H:%M}Z" + (" replayed" if letter.replayed_at else "")
        table.add_row(
            str(letter.id), owner.slug, letter.reaction, letter.event.event_type, letter.error, dead_at
        )
    Console().print(table if found else "There are no dead letters.")


async def show_command(settings: Settings, letter_id: str) -> None:
    """Prints one dead letter as JSON. Raises NotFound and InvalidRequest."""
    _print(await _run(settings, letters.inspect, _uuid(letter_id)))


async def replay_command(settings: Settings, letter_id: str) -> None:
    """Queues the reaction for another attempt and prints the dead letter. Raises NotFound and InvalidRequest."""
    _print(await _run(settings, letters.replay, _uuid(letter_id)))


async def _listed(tx: Tx, slug: str | None, *, replayed: bool) -> list[tuple[DeadLetter, Tenant]]:
    only = None if slug is None else (await own_tenant(tx, slug)).id
    found = await letters.page(tx, tenant_id=only, replayed=replayed, before=None, limit=LISTED_MAX)
    owners = {id_: await get_tenant(tx, id_) for id_ in {letter.event.tenant_id for letter in found}}
    return [(letter, owner) for letter in found if (owner := owners[letter.event.tenant_id])]


async def _run(
    settings: Settings, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
) -> T:
    async with existing_database(settings) as database:
        return await database.run(SYSTEM, verb, *args, **kwargs)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest.of(
            "id", text[:40], "must be the id of a dead letter, as `list` shows it"
        ) from None


def _print(found: tuple[DeadLetter, Tenant]) -> None:
    shown = orjson.loads(encode(letter_shown(*found)))
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
