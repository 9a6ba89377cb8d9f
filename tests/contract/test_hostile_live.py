"""Hostile values in every place of every WebSocket message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import TypeAdapter

from holdfast.live.ws import OPS_BURST_MAX, Op
from tests.booking.asking import DAY
from tests.processes import PATIENT_S

from .hostile import BODIES, Values, channels_at
from .leaves import Schemas, with_raw
from .nord import Nord

Json = dict[str, Any]

MARK = "@@here@@"
AT_ONCE = OPS_BURST_MAX // 2 - 1
"""Messages on one connection, with a ping behind each: who says more is read more slowly."""


def hostile_messages(nord: Nord) -> list[bytes]:
    """Hostile values in every place of every message, and names of channels that are none."""
    schema = TypeAdapter(Op).json_schema(ref_template="#/components/schemas/{model}")
    schemas, values = Schemas({"components": {"schemas": schema.pop("$defs")}}), Values()
    said = list(BODIES)
    for model in schemas.alternatives(schema):
        base = {"op": model["properties"]["op"]["const"], "channels": [_channel(nord)]}
        base = {name: value for name, value in base.items() if name in model["properties"]}
        for leaf in schemas.leaves(model):
            placed = schemas.placed(model, base, leaf, MARK)
            said += [with_raw(placed, MARK, value) for value in values.of_kinds(leaf.kinds)]
    for name in channels_at(nord.house.tenant, nord.house.venue["slug"], DAY):
        said.append(json.dumps({"op": "subscribe", "channels": [name]}).encode())
    return said


def _channel(nord: Nord) -> str:
    return f"availability:{nord.place(':')}:{DAY}:day"


async def test_a_websocket_answers_whatever_it_is_told(app: FastAPI, roomy: Nord) -> None:
    """Each answer is valid JSON, each error has a code, and the connection stays open."""
    said = hostile_messages(roomy)
    ops = set[str]()
    for first in range(0, len(said), AT_ONCE):
        async with connected(app) as (say, hear):
            for message in said[first : first + AT_ONCE]:
                say(message)
                say(b'{"op": "ping"}')
                while (answer := await hear())["op"] != "pong":
                    ops.add(answer["op"])
                    if answer["op"] == "error":
                        assert answer["code"] in ("INVALID_REQUEST", "NOT_FOUND"), (message[:200], answer)
    assert ops == {"error", "subscribed"}


@asynccontextmanager
async def connected(app: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A WebSocket of the application itself: what says something to it, and what waits for the next answer."""
    inwards, outwards = asyncio.Queue[Json](), asyncio.Queue[Json]()
    inwards.put_nowait({"type": "websocket.connect"})

    async def send(message: Json) -> None:
        outwards.put_nowait(message)

    async def hear() -> Json:
        message = await asyncio.wait_for(outwards.get(), PATIENT_S)
        assert message["type"] == "websocket.send", message
        return orjson.loads(message["text"])

    def say(message: bytes) -> None:
        inwards.put_nowait({"type": "websocket.receive", "bytes": message})

    path = "/api/v1/live/ws"
    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "root_path": "",
        "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"holdfast.test")],
        "subprotocols": [], "client": ("127.0.0.1", 1), "server": ("holdfast.test", 80), "state": {},
    }  # fmt: skip
    serving = asyncio.create_task(app(scope, inwards.get, send))
    accepted = await asyncio.wait_for(outwards.get(), PATIENT_S)
    assert accepted["type"] == "websocket.accept", accepted
    yield say, hear
    inwards.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait_for(serving, PATIENT_S)
