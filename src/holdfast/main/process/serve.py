"""`holdfast serve`: runs the API."""

from __future__ import annotations

import gc
import resource
import signal
import socket
from contextlib import suppress
from functools import partial
from typing import Any, cast

import structlog
import uvicorn

from holdfast.kernel.config import Settings
from holdfast.main.http.addresses import Addresses
from holdfast.main.http.protocol import BoundedProtocol
from holdfast.main.http.websocket import BoundedWebSocket
from holdfast.main.process.database import find_database
from holdfast.main.process.drop import drop_root
from holdfast.main.process.listen import BACKLOG, base_url, listen
from holdfast.main.process.outcome import Failed
from holdfast.main.process.tokens import issuers

GRACE_S = 8
"""How long open requests and streams may take to end after SIGTERM."""

WS_BYTES_MAX = 256 * 1024
"""A longer message closes its WebSocket; live channels already refuse shorter ones, without closing it."""
WS_PING_S = 15.0
"""How long after the last pong a WebSocket is pinged again (RFC 6455, 5.5.2), and how long it has to answer before it
is closed."""

SPARE = 256
"""File descriptors kept for everything else: requests, the database, logs."""

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """A uvicorn server that ends live streams when it begins to stop: it waits for open connections, and streams
    would stay open."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.hub.end_all()  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
        await super().shutdown(sockets)


async def serve(settings: Settings, *, listener_fd: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then waits for open requests to end, for GRACE_S at most.

    As root it needs a `database_url`: it takes the port, reads the issuer's key, then drops root.
    `listener_fd`: an inherited listening socket, instead of a new one.
    """
    from holdfast.main.http.app import create_app

    if listener_fd is None:
        listener = await listen(settings.host, settings.port)
    else:
        listener = socket.socket(fileno=listener_fd)
    trusted = issuers(settings)
    drop_root()
    async with find_database(settings) as url:
        known = {"database_url": url, "live_streams_max": room_for_streams(settings.live_streams_max)}
        app = create_app(cast(Any, settings.model_copy(update=known)), issuers=trusted)
        _ignore_signals_that_come_again()
        _collect_less()
        log.info("api_starts", url=base_url(listener))
        try:
            await server_of(app, settings).serve([listener])
        except SystemExit:
            raise Failed("The API did not start; the log above says why.") from None
    log.info("api_stopped")


def _collect_less() -> None:
    # Requests create hardly any reference cycles, and objects loaded at the start stay. Scanning all of them for
    # garbage every few hundred allocations would take time from bookings.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def server_of(app: Any, settings: Settings) -> uvicorn.Server:
    """Returns a uvicorn server for the application, with the limits of `main.http.protocol` and
    `main.http.websocket`."""
    addresses = Addresses(most=settings.connections_per_address_max, proxies=settings.trusted_proxies)
    # uvicorn only calls these, so a partial works in place of a class.
    protocols: dict[str, Any] = {
        "http": partial(BoundedProtocol, addresses),
        "ws": partial(BoundedWebSocket, addresses),
    }
    config = uvicorn.Config(
        app,
        **protocols,
        ws_max_size=WS_BYTES_MAX,
        ws_ping_interval=WS_PING_S,
        ws_ping_timeout=WS_PING_S,
        # The same bytes go to all subscribers of a channel; compressing them for each costs more than sending.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config)


def _ignore_signals_that_come_again() -> None:
    # When it has stopped, uvicorn raises the signal again that stopped it, but we still have to clean up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def room_for_streams(wanted: int) -> int:
    """Returns how many live streams may be open: `wanted`, or fewer if the limit on open files is lower. Raises that
    limit to its maximum first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems report an infinite limit that they don't grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    room = wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - SPARE))
    if room < wanted:
        log.warning("live_streams_bounded", wanted=wanted, room=room, open_files_max=soft)
    return room
