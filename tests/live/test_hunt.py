from __future__ import annotations
import asyncio, socket, struct, time
from collections.abc import AsyncIterator
from typing import Any
import pytest, structlog
from holdfast.kernel.config import Settings
from holdfast.live import stream as streams
from holdfast.main.http import create_app
from holdfast.main.listen import listen
from holdfast.main.serve import _server
from tests.booking.asking import at
from tests.conftest import House
from tests.live.conftest import slot_channel, bookings_channel
from tests.live.reading import opened
from tests.live.test_slow import EVENT
from tests.processes import until
from websockets.asyncio.client import connect

@pytest.fixture
async def near(database_url, data_dir) -> AsyncIterator[Any]:
    app = create_app(Settings(database_url=database_url, data_dir=data_dir, pool_max=5))
    server = _server(app, trusted_proxies=None)
    server.config.ws_ping_interval = 0.2
    server.config.ws_ping_timeout = 0.3
    listener = await listen("127.0.0.1", 0)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started: await asyncio.sleep(0.01)
    server.port = listener.getsockname()[1]
    server.api = app
    yield server
    server.should_exit = True
    await asyncio.wait_for(task, 20)

async def fill(hub, owner, house):
    row = await owner.fetchrow("SELECT tenant_id, venue_id, name FROM channel WHERE venue_id = $1 AND name <> 'bookings'", house.venue_id)
    for _ in range(300):
        await owner.execute(EVENT, *row, 100_000)
        await hub.tail.caught_up()
        await asyncio.sleep(0.01)
        if any(s._outlet.paused for s in hub.streams): return
    raise AssertionError

def raw(port):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.connect(("127.0.0.1", port)); return s

async def test_stalled_token(near, house: House, owner, monkeypatch):
    monkeypatch.setattr(streams, "STALLED_CLOSE_S", 0.3)
    hub = near.api.state.hub
    s = raw(near.port)
    token = house.mint(house.tenant, ["staff"], "bob", ttl_s=4)
    s.sendall(f"GET /api/v1/live?channel={slot_channel(house)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    while not any(hub.streams.values()): await asyncio.sleep(0.01)
    await fill(hub, owner, house)
    t=time.time()
    while hub.streams: await asyncio.sleep(0.05)
    print("left hub after", time.time()-t)
    await asyncio.sleep(2)
    print("SSE connections still open", len(near.server_state.connections), "tasks", len(near.server_state.tasks))
    s.close()

async def test_stalled_ws_ping(near, house: House, owner, monkeypatch):
    hub = near.api.state.hub
    s = raw(near.port)
    s.sendall(b"GET /api/v1/live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.3)
    import orjson
    m = orjson.dumps({"op":"subscribe","channels":[slot_channel(house)]})
    s.sendall(bytes([0x81, 0x80|126])+struct.pack("!H",len(m))+b"\0\0\0\0"+m)
    for _ in range(30):
        if any(hub.streams.values()): break
        await asyncio.sleep(0.01)
    else: print("not subscribed", hub.streams)
    near.config.ws_ping_timeout=0.3
    await fill(hub, owner, house)
    await asyncio.sleep(3)
    print("WS streams", len(hub.streams), "connections", len(near.server_state.connections), len(near.server_state.tasks))
    s.close()

async def test_ws_ping(near, house):
    hub = near.api.state.hub
    url = f"ws://127.0.0.1:{near.port}/api/v1/live/ws"
    async with connect(url, proxy=None, ping_interval=None) as c:
        await asyncio.sleep(1.5)
        print("alive, streams", len(hub.streams))
    s = raw(near.port)
    s.sendall(b"GET /api/v1/live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    await asyncio.sleep(1.5)
    print("silent one, streams", len(hub.streams), s.recv(4000))
    s.close()

async def test_logs(near, house, owner, monkeypatch):
    hub = near.api.state.hub
    url = f"ws://127.0.0.1:{near.port}/api/v1/live/ws"
    with structlog.testing.capture_logs() as logs:
        # rst at handshake
        for d in (0, 0.005, 0.02):
            s = raw(near.port)
            s.sendall(b"GET /api/v1/live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            await asyncio.sleep(d)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii",1,0)); s.close()
        await asyncio.sleep(0.2)
        print("RST", [l for l in logs if l["log_level"] in ("error","warning")])
        async with connect(url, proxy=None) as c:
            while not hub.streams: await asyncio.sleep(0.01)
            st = next(iter(hub.streams))
            st._cut_off()
            await asyncio.sleep(0.2)
        print("CUT", [l for l in logs if l["log_level"] in ("error","warning")])
        async with connect(url, proxy=None) as c:
            await asyncio.sleep(0.1)
            near.should_exit = True
            await asyncio.sleep(0.6)
        print("STOP", [l for l in logs if l["log_level"] in ("error","warning")])

async def test_head(near, house):
    r, w = await asyncio.open_connection("127.0.0.1", near.port)
    w.write(f"HEAD /api/v1/live?channel={slot_channel(house)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    print((await r.read(60)))
    w.close()
    r, w = await asyncio.open_connection("127.0.0.1", near.port)
    w.write(f"GET /api/v1/live?channel={slot_channel(house)} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    await asyncio.sleep(0.2)
    print((await r.read(900)))
    w.close()
