"""A phone at the edge of its network: slow, but honest, and served like anybody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.kernel.db.tx import REQUEST_DEADLINE_S
from holdfast.main.http.protocol import BODY_S, HEAD_S
from tests.booking.asking import at
from tests.conftest import House
from tests.main.edge import Dialled
from tests.processes import serving
from tests.raw import get
from tests.wire import book, staff

BODY_TAKES_S, HEAD_TAKES_S = 20.0, 6.0
PARTS = 20


async def trickle(client: Dialled, data: bytes, *, seconds: float) -> None:
    size = len(data) // PARTS + 1
    for at_byte in range(0, len(data), size):
        client.send(data[at_byte : at_byte + size])
        await client.sent()
        await asyncio.sleep(seconds / PARTS)


async def test_a_booking_that_takes_20_seconds_to_arrive_is_made(
    database_url: str, data_dir: Path, house: House
) -> None:
    """Its time to arrive is no part of the time it has to wait for the database."""
    assert HEAD_TAKES_S < HEAD_S
    assert REQUEST_DEADLINE_S < BODY_TAKES_S < BODY_S
    request = book(house, token=staff(house), start=at("19:00"), resource_ids=house.ids("t1"))
    head, empty_line, body = request.partition(b"\r\n\r\n")
    async with serving(database_url, data_dir, request_deadline_s=REQUEST_DEADLINE_S) as api:
        client = Dialled(*await asyncio.open_connection("127.0.0.1", api.port))
        await trickle(client, head + empty_line, seconds=HEAD_TAKES_S)
        await trickle(client, body, seconds=BODY_TAKES_S)
        assert (await client.answer()).status == 201
        await asyncio.sleep(1)
        client.send(get("/healthz"))
        assert (await client.answer()).status == 200
        client.close()
