"""Who is slow, but honest, is served like anybody else."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from holdfast.kernel.db.tx import REQUEST_DEADLINE_S
from holdfast.main.http.protocol import BODY_S, HEAD_S
from tests.main.slow import BODY_TAKES_S, HEAD_TAKES_S


async def test_a_booking_that_takes_20_seconds_to_arrive_is_made(
    slow: Future[tuple[int, int, float]],
) -> None:
    """Its time to arrive is no part of the time it has to wait for the database."""
    assert HEAD_TAKES_S < HEAD_S
    assert REQUEST_DEADLINE_S < BODY_TAKES_S < BODY_S
    made, healthy, took_s = await asyncio.wrap_future(slow)
    assert (made, healthy) == (201, 200)
    assert took_s > REQUEST_DEADLINE_S
