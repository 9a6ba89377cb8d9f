"""A server that stops ends its streams, and is gone."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import ConnectionClosed

from holdfast.kernel.config import Settings
from holdfast.main.http.app import create_app
from tests.conftest import House
from tests.live.asgi import asked
from tests.live.conftest import slot_channel
from tests.live.reading import opened
from tests.processes import SOON_S, serving


async def test_open_streams_do_not_hold_up_a_server_that_stops(
    database_url: str, data_dir: Path, house: House
) -> None:
    async with serving(database_url, data_dir) as api:
        streams = [await opened(api.port, slot_channel(house)) for _ in range(5)]
        async with ws_connect(f"ws://127.0.0.1:{api.port}/api/v1/live/ws", proxy=None) as socket:
            api.process.send_signal(signal.SIGTERM)
            for stream in streams:
                assert await stream.next() is None  # ended, and not cut off
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), SOON_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        await asyncio.to_thread(api.process.wait, SOON_S)
        assert api.process.returncode == 0
        # Nothing had to be cancelled when the time for that was over.
        assert "graceful shutdown" not in api.log.read_text()


async def test_switched_off_there_are_none(database_url: str, data_dir: Path, house: House) -> None:
    app = create_app(Settings(database_url=database_url, data_dir=data_dir, live=False))
    async with app.router.lifespan_context(app), asked(app, slot_channel(house)) as stream:
        assert stream.status == 503
        assert "HOLDFAST_LIVE" in (await stream.body())["detail"]
