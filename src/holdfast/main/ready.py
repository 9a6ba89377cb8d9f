"""Wait until the API serves."""

from __future__ import annotations

import asyncio
import socket
import time

from holdfast.main.child import Child
from holdfast.main.listen import address
from holdfast.main.outcome import Failed

READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 5.0
LOOK_EVERY_S = 0.05
ENDS_MAX = 3
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def wait_until_ready(listener: socket.socket, api: Child) -> None:
    """/readyz has answered 200. Raises `Failed` when the API keeps ending, or takes longer than 60 s."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    answered = "nothing"
    while time.monotonic() < deadline:
        if api.ends >= ENDS_MAX:
            raise Failed(f"The API ended {api.ends} times before it was ready; the messages above say why.")
        answered = await _ask(*address(listener)) or answered
        if answered.split(" ")[1:2] == ["200"]:
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise Failed(f"The API is not ready after {READY_TIMEOUT_S:.0f} s: /readyz answers {answered}.")


async def _ask(host: str, port: int) -> str:
    """The status line; empty when there is none yet."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(REQUEST)
                return (await reader.readline()).decode("latin-1").strip()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
