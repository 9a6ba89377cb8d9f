"""The HTTP overhead without bookings: requests per second of one process, by kind of route.

    python bench/http_floor.py [--seconds 3] [--connections 32] [kind ...]

Prints one JSON object per kind, with its ratio to the first. `bare`: an ASGI application, the most the server can do.
`plain`: a FastAPI route with a body and two dependencies. `read`: a third one reads the body (`json_body`), as in
Holdfast's routes. `raw`: takes the request and validates its body itself. `surrounded`: inside Holdfast's middleware.
`token`: the same with a bearer token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import uvicorn
import uvloop
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from holdfast.identity.issuer import DevIssuer
from holdfast.identity.token import TokenVerifier
from holdfast.kernel.body import Body
from holdfast.kernel.config import Settings
from holdfast.kernel.http import answer, json_body, parse
from holdfast.kernel.telemetry import start_logging
from holdfast.main.http.app import create_app

ENDED_S_MAX = 10.0
OTHER_ROUTES = 20
TENANT = "bench"
BODY = json.dumps(
    {
        "venue_id": "01890000-0000-7000-8000-000000000001",
        "start": "2026-06-01T19:00:00+02:00",
        "duration_minutes": 90,
        "party_size": 4,
        "resource_ids": ["01890000-0000-7000-8000-000000000002"],
        "idempotency_key": "01890000-0000-7000-8000-00000000abcd",
        "guest_name": "Alice",
    }
).encode()
ANSWER = b'{"id":"01890000-0000-7000-8000-000000000003","status":"CONFIRMED"}'


def kinds() -> dict[str, Callable[[Path], Any]]:
    return {
        "bare": lambda _: _bare,
        "plain": lambda _: _framework("plain"),
        "read": lambda _: _framework("read"),
        "raw": lambda _: _framework("raw"),
        "surrounded-plain": lambda data: _surrounded("plain", data),
        "surrounded-read": lambda data: _surrounded("read", data),
        "surrounded-raw": lambda data: _surrounded("raw", data),
        "token-plain": lambda data: _surrounded("plain", data),
        "token-raw": lambda data: _surrounded("raw", data),
    }


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await receive()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})


class Wanted(Body):
    venue_id: UUID
    start: datetime
    duration_minutes: int
    party_size: int
    resource_ids: list[UUID]
    idempotency_key: UUID
    guest_name: str


async def _first(request: Request) -> Any:
    return request.app.state


async def _second(request: Request) -> Any:
    return request.scope


async def _plain(
    body: Wanted, one: Annotated[Any, Depends(_first)], two: Annotated[Any, Depends(_second)]
) -> Response:
    return answer(ANSWER, status=201)


async def _read(
    body: Annotated[Wanted, json_body(Wanted)],
    one: Annotated[Any, Depends(_first)],
    two: Annotated[Any, Depends(_second)],
) -> Response:
    return answer(ANSWER, status=201)


async def _raw(request: Request) -> Response:
    parse(await request.body(), Wanted)
    return answer(ANSWER, status=201)


def _router(kind: str) -> APIRouter:
    router = APIRouter()
    for number in range(OTHER_ROUTES):
        router.add_api_route(f"/other{number}/{{id}}", _first, methods=["GET"])
    router.add_api_route("/bookings", {"plain": _plain, "read": _read, "raw": _raw}[kind], methods=["POST"])
    return router


def _framework(kind: str) -> Any:
    app = FastAPI()
    app.include_router(_router(kind), prefix="/api/v1")
    return app


def _surrounded(kind: str, data_dir: Path) -> Any:
    async def tenant_id(slug: str) -> UUID:
        return UUID(int=1)

    start_logging("INFO")
    app = create_app(Settings(), routers=[_router(kind)])
    app.state.verifier = TokenVerifier([DevIssuer.load(data_dir)])
    app.state.engine = SimpleNamespace(places=SimpleNamespace(tenant_id=tenant_id))
    return app


def serve(kind: str, port: int, data_dir: Path) -> None:
    uvicorn.run(
        kinds()[kind](data_dir),
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        lifespan="off",
    )


class _Client(asyncio.Protocol):
    """Sends the request again as soon as it has a response."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.answered = 0
        self.wrong = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(ANSWER):
            self.wrong += b"HTTP/1.1 201" not in self._received
            return
        self.answered += 1
        self._received = b""
        self._transport.write(self._request)


async def load(port: int, token: str | None, *, connections: int, seconds: float) -> float:
    head = "POST /api/v1/bookings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(BODY)}\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")
    request = head.encode() + b"\r\n" + BODY
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Client(request), "127.0.0.1", port) for _ in range(connections)
    ]
    await asyncio.sleep(seconds / 4)
    before, started = sum(client.answered for _, client in made), time.perf_counter()
    await asyncio.sleep(seconds)
    answered = sum(client.answered for _, client in made) - before
    elapsed = time.perf_counter() - started
    for transport, _ in made:
        transport.abort()
    assert not any(client.wrong for _, client in made), "a response was not 201"
    return answered / elapsed


def measure(kind: str, *, connections: int, seconds: float) -> float:
    with (
        tempfile.TemporaryDirectory() as place,
        socket.socket() as free,
        open(Path(place) / "log", "wb") as log,
    ):
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        token = DevIssuer.load(Path(place)).mint(TENANT, ["guest"], "alice") if "token" in kind else None
        server = subprocess.Popen([sys.executable, __file__, "--serve", kind, str(port), place], stderr=log)
        try:
            _await_open(port)
            return uvloop.run(load(port, token, connections=connections, seconds=seconds))
        finally:
            server.terminate()
            server.wait(ENDED_S_MAX)


def _await_open(port: int) -> None:
    give_up_at = time.monotonic() + ENDED_S_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(kinds()))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    asked = parser.parse_args()
    first = 0.0
    for kind in asked.kinds:
        rate = measure(kind, connections=asked.connections, seconds=asked.seconds)
        first = first or rate
        line = {"kind": kind, "requests_per_s": round(rate), "us": round(1e6 / rate, 1)}
        print(json.dumps(line | {"ratio": round(rate / first, 3), "load": os.getloadavg()[0]}), flush=True)


if __name__ == "__main__":
    main()
