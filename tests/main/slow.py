"""A phone at the edge of its network, in a thread: it takes half a minute, in which other tests run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S
from tests.booking.asking import at
from tests.conftest import open_house_at
from tests.main.edge import Dialled
from tests.processes import serving
from tests.raw import get
from tests.wire import book, staff

T = TypeVar("T")

BODY_TAKES_S, HEAD_TAKES_S = 20.0, 6.0
PARTS = 20


async def trickle(client: Dialled, data: bytes, *, seconds: float) -> None:
    begun_at, size = time.monotonic(), len(data) // PARTS + 1
    for part, at_byte in enumerate(range(0, len(data), size), 1):
        client.send(data[at_byte : at_byte + size])
        await client.sent()
        await asyncio.sleep(begun_at + part * seconds / PARTS - time.monotonic())


async def slow_booking(url: str, data_dir: Path) -> tuple[int, int, float]:
    """The statuses of a booking that takes 26 seconds to arrive and of what is asked a second later on its connection;
    how long its body took."""
    async with serving(url, data_dir, request_deadline_s=REQUEST_DEADLINE_S) as api:
        base_url = f"http://127.0.0.1:{api.port}/api/v1"
        async with httpx.AsyncClient(base_url=base_url, timeout=None) as http:
            house = await open_house_at(http, DevIssuer.load(data_dir))
        request = book(house, token=staff(house), start=at("19:00"), resource_ids=house.ids("t1"))
        head, empty_line, body = request.partition(b"\r\n\r\n")
        client = Dialled(*await asyncio.open_connection("127.0.0.1", api.port))
        await trickle(client, head + empty_line, seconds=HEAD_TAKES_S)
        begun_at = time.monotonic()
        await trickle(client, body, seconds=BODY_TAKES_S)
        took_s = time.monotonic() - begun_at
        made = await client.answer()
        await asyncio.sleep(1)
        client.send(get("/healthz"))
        healthy = await client.answer()
        client.close()
        return made.status, healthy.status, took_s


@contextmanager
def beside(story: Callable[[], Coroutine[Any, Any, T]]) -> Iterator[Future[T]]:
    """What the coroutine returns or raises, on a loop of its own; whatever is left of it ends with the block."""
    begun = Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]]()

    async def told() -> T:
        task = asyncio.current_task()
        assert task is not None
        begun.set_result((asyncio.get_running_loop(), task))
        return await story()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(asyncio.run, told())
        loop, task = begun.result()
        try:
            yield running
        finally:
            with suppress(RuntimeError):  # it has ended, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)
