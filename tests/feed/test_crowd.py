"""Many who poll the feed at once take no more connections than changes and reads have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from holdfast.kernel.db.call import Call
from holdfast.kernel.db.database import Database, lanes
from tests.conftest import House

POLLERS = 40


async def test_those_who_poll_leave_connections_to_the_others(
    app: FastAPI, client: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    db: Database = app.state.engine.db
    connection, in_use, most = Call._connection, 0, 0

    @asynccontextmanager
    async def counted(call: Call, lane: Any) -> AsyncIterator[Any]:
        nonlocal in_use, most
        async with connection(call, lane) as found:
            in_use += call.db is db
            most = max(most, in_use)
            try:
                yield found
            finally:
                in_use -= call.db is db

    monkeypatch.setattr(Call, "_connection", counted)
    polls = await asyncio.gather(*(client.get("/events", headers=house.bob) for _ in range(POLLERS)))
    assert {each.status_code for each in polls} == {200}
    bounds = lanes(db.pool.get_max_size())
    assert 0 < most <= bounds["changes"] + bounds["reads"] < db.pool.get_max_size()
