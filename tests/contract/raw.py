"""Requests as raw bytes to the application itself: no client in between, which would mend them or refuse."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from tests.processes import PATIENT_S

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Request:
    """`path` and `query`: percent-encoded, as on the wire."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        """Strictly: UTF-8, no lone surrogates, no NaN."""
        return orjson.loads(self.content)


async def ask(app: Any, request: Request) -> Answer:
    """The whole answer; of a stream only how it begins."""
    messages: list[dict[str, Any]] = []
    answered = asyncio.Event()
    left = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not left:
            await answered.wait()
            return {"type": "http.disconnect"}
        return left.pop()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)
        is_stream = messages[0]["status"] == 200 and request.path.endswith("/live")
        if message["type"] == "http.response.body" and (is_stream or not message.get("more_body")):
            answered.set()

    async with asyncio.timeout(PATIENT_S):
        await app(_scope(request), receive, send)
    head, *bodies = messages
    content = b"".join(each.get("body", b"") for each in bodies)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head["headers"]}
    return Answer(head["status"], headers, content)


def _scope(request: Request) -> dict[str, Any]:
    # uvicorn decodes the path so, and leaves the query as it came.
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
        "method": request.method, "path": unquote(request.path), "raw_path": request.path.encode("ascii"),
        "query_string": request.query.encode("ascii"),
        "headers": [(b"host", b"holdfast.test"), *request.headers],
        "client": ("127.0.0.1", 1), "server": ("holdfast.test", 80), "state": {},
    }  # fmt: skip
