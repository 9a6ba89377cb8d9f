"""The server in the process of the test, in front of a small application, asked over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson

from holdfast.kernel.config import Settings
from holdfast.main.http.protocol import BODY_BYTES_MAX
from holdfast.main.process.listen import address, listen
from holdfast.main.process.serve import server_of
from tests.processes import SOON_S, until


class Echo:
    """Answers with what it was asked, or with the length of a WebSocket's message; holds back while `open` is not
    set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[str] = []
        self.state = SimpleNamespace(hub=SimpleNamespace(end_all=lambda: None))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await {"http": self._http, "websocket": self._websocket, "lifespan": self._lifespan}[scope["type"]](
            scope, receive, send
        )

    async def _lifespan(self, _scope: Any, receive: Any, send: Any) -> None:
        while True:
            await send({"type": f"{(await receive())['type']}.complete"})

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        announced = int(dict(scope["headers"]).get(b"content-length", 0))
        body = b"" if announced <= BODY_BYTES_MAX else bytes(BODY_BYTES_MAX + 1)
        while len(body) <= BODY_BYTES_MAX and (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        await self.open.wait()
        names = [name.decode() for name, _ in scope["headers"]]
        said = {"method": scope["method"], "path": scope["path"], "body": len(body), "headers": names}
        status, headers = 200, [(b"content-length", b"%d" % len(orjson.dumps(said)))]
        if len(body) > BODY_BYTES_MAX:
            status, headers = 413, [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(said)})

    async def _websocket(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await self.open.wait()
            self.asked.append(message.get("text") or "")
            length = len(message.get("text") or message.get("bytes") or b"")
            await send({"type": "websocket.send", "text": str(length)})


class Served:
    """A running server. `app`: what it answers with."""

    def __init__(self, app: Echo, port: int, server: Any) -> None:
        self.app, self.port, self.server = app, port, server
        self.dialled: list[Dialled] = []

    async def dial(self, source: str = "127.0.0.1") -> Dialled:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.dialled.append(Dialled(reader, writer))
        return self.dialled[-1]

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Served]:
    """A server for the block."""
    app = Echo()
    server = server_of(app, Settings(**settings))
    server.config.lifespan = "off"
    listener = await listen("127.0.0.1", 0)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    running = Served(app, address(listener)[1], server)
    try:
        yield running
    finally:
        app.open.set()
        for each in running.dialled:
            each.writer.transport.abort()
        server.should_exit = True
        await asyncio.wait_for(serving, SOON_S)


class Answer:
    """One answer. `said`: its JSON."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def said(self) -> Any:
        return orjson.loads(self.body)


class Dialled:
    """A connection of somebody who sends bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def answer(self) -> Answer:
        """The next answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SOON_S)
        first, *lines = head.decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", 0))), SOON_S)
        return Answer(int(first.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """All that comes until the server ends its side."""
        return await asyncio.wait_for(self.reader.read(-1), SOON_S)

    async def sent(self) -> None:
        """The system has taken all that was to be sent."""
        await asyncio.wait_for(self.writer.drain(), SOON_S)

    def close(self) -> None:
        self.writer.close()

    def read_little(self) -> None:
        """From now on it takes no more than a few KiB, unless it is read."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


async def so(is_so: Callable[[], bool]) -> None:
    """It is so by now."""

    async def found() -> bool:
        return is_so()

    await until(found)
