"""Short ways to look at a slot, and to bring about what is seen there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from holdfast.block.create import Blocked, create, plan
from holdfast.block.define import NewBlock
from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.ids import new_id
from holdfast.planning import change_planned
from tests.booking.asking import DAY, instant
from tests.conftest import House

BOB = Actor(kind="staff", id="bob", roles=frozenset({"staff"}))
SLOTS = [
    {"id": "early", "name": "Early", "start": "17:00", "minutes": 120},
    {"id": "late", "name": "Late", "start": "20:00", "minutes": 120},
]


def path(house: House, *, tenant: str | None = None, venue: str | None = None, **query: Any) -> str:
    """The address of a snapshot: of DAY's only slot, unless `query` says otherwise."""
    asked = httpx.QueryParams({"date": DAY.isoformat(), **query})
    return f"/clubs/{tenant or house.tenant}/venues/{venue or house.venue['slug']}/availability?{asked}"


async def ask(house: House, who: dict[str, str] | None = None, **query: Any) -> httpx.Response:
    return await house.client.get(path(house, **query), headers=who or {})


async def look(house: House, who: dict[str, str] | None = None, **query: Any) -> dict[str, Any]:
    """The snapshot as somebody sees it; as staff unless `who` says otherwise."""
    response = await ask(house, house.bob if who is None else who, **query)
    assert response.status_code == 200, response.text
    return response.json()


def states(seen: dict[str, Any]) -> dict[str, str]:
    """State by name of the section."""
    return {each["name"]: each["state"] for each in seen["sections"]}


def section(seen: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in seen["sections"] if each["name"] == name)


async def block(app: FastAPI, house: House, *slugs: str, start: str = "10:00", end: str = "23:00") -> UUID:
    """Staff close these resources on DAY."""
    id_ = new_id()
    venue = await app.state.engine.places.venue(UUID(house.venue_id))
    wanted = NewBlock(
        id=id_,
        resource_ids=tuple(map(UUID, house.ids(*slugs))),
        start=instant(start),
        end=instant(end),
        reason="the pipe of Mr Holm burst",
    )
    engine: Engine = app.state.engine
    planned = partial(plan, wanted=wanted, by=str(BOB), venue=venue, places=engine.places)
    await change_planned(engine, BOB, venue, planned, create, key=None, show=Blocked.as_json)
    return id_


@contextmanager
def counting(app: FastAPI) -> Iterator[list[str]]:
    """The verbs that the application runs meanwhile, those of the tail and of the auditor left out."""
    ran: list[str] = []
    call: Callable[..., Any] = app.state.engine.db.call
    run: Callable[..., Any] = app.state.engine.db.run

    class Counted:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def run(self, verb: Any, *args: Any, **kwargs: Any) -> Any:
            ran.append(verb.__name__)
            return await self._inner.run(verb, *args, **kwargs)

    async def counted_run(actor: Any, verb: Any, *args: Any, **kwargs: Any) -> Any:
        ran.append(verb.__name__)
        return await run(actor, verb, *args, **kwargs)

    app.state.engine.db.call = lambda *args, **kwargs: Counted(call(*args, **kwargs))
    app.state.engine.db.run = counted_run
    try:
        yield ran
    finally:
        del app.state.engine.db.call, app.state.engine.db.run
