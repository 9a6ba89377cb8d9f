"""A server that stops ends its streams, and is gone."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import House
from tests.live.conftest import slot_channel
from tests.live.reading import connect, opened
from tests.processes import SOON_S, serving


async def test_open_streams_do_not_hold_up_a_server_that_stops(
    database_url: str, data_dir: Path, house: House
) -> None:
    async with serving(database_url, data_dir) as api:
        streams = [await opened(api.port, slot_channel(house)) for _ in range(5)]
        async with ws_connect(f"ws://127.0.0.1:{api.port}/api/v1/live/ws", proxy=None) as socket:
            started = time.monotonic()
            api.process.send_signal(signal.SIGTERM)
            for stream in streams:
                assert await stream.next() is None  # ended, and not cut off
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), SOON_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        await asyncio.to_thread(api.process.wait, 10)
        assert time.monotonic() - started < 4
        assert api.process.returncode == 0


async def test_switched_off_there_are_none(database_url: str, data_dir: Path, house: House) -> None:
    async with serving(database_url, data_dir, live="false") as api:
        stream = await connect(api.port, slot_channel(house))
        assert stream.status == 503
        assert "HOLDFAST_LIVE" in (await stream.body())["detail"]
        stream.close()
