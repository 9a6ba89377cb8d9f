"""An API in the process of the test, on a real port: what it holds can be looked at."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import uvicorn

from holdfast.kernel.config import Settings
from holdfast.live.hub import Hub
from holdfast.main.http.app import create_app
from holdfast.main.process.listen import address, listen
from holdfast.main.process.serve import server_of
from tests.processes import PATIENT_S, SOON_S

_UPGRADE = (
    "GET /api/v1/live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Near:
    """The server; `hub` is that of its application."""

    def __init__(self, server: uvicorn.Server, hub: Hub, port: int) -> None:
        self.server, self.hub, self.port = server, hub, port

    @property
    def left(self) -> int:
        """Connections and tasks that it has."""
        return len(self.server.server_state.connections) + len(self.server.server_state.tasks)

    def deaf(self) -> socket.socket:
        """A connection of somebody who reads nothing."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", self.port))
        return sock


@asynccontextmanager
async def near(url: str, data_dir: Path, *, ping_s: float = 15.0) -> AsyncIterator[Near]:
    """It serves for the block."""
    settings = Settings(database_url=url, data_dir=data_dir, pool_max=5, request_deadline_s=PATIENT_S)
    app = create_app(settings)
    server = server_of(app, settings)
    server.config.ws_ping_interval = server.config.ws_ping_timeout = ping_s
    listener = await listen("127.0.0.1", 0)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    try:
        yield Near(server, app.state.hub, address(listener)[1])
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, SOON_S)


def ask_for_stream(sock: socket.socket, channel: str, token: str) -> None:
    head = f"GET /api/v1/live?channel={channel} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    sock.sendall(head.encode())


def ask_for_socket(sock: socket.socket) -> None:
    sock.sendall(_UPGRADE.encode())


def subscribe(sock: socket.socket, channel: str) -> None:
    said = orjson.dumps({"op": "subscribe", "channels": [channel]}).ljust(200)
    sock.sendall(b"\x81\xfe" + len(said).to_bytes(2, "big") + b"\0\0\0\0" + said)  # masked with zeros
