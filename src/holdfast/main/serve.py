"""`holdfast serve`: the API as a process."""

from __future__ import annotations

import gc
import signal
import socket
from typing import Any, cast

import structlog
import uvicorn

from holdfast.kernel.config import Settings
from holdfast.main.corked import CorkedProtocol
from holdfast.main.database import find_database
from holdfast.main.listen import BACKLOG, base_url, listen
from holdfast.main.outcome import Failed

GRACE_S = 8
"""Requests and streams that are open at SIGTERM have this long to end."""

log = structlog.get_logger(__name__)


async def serve(settings: Settings, *, listener_fd: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then lets open requests end, for GRACE_S at most.

    `listener_fd`: a listening socket that was inherited, instead of a new one.
    """
    from holdfast.main.http import create_app

    if listener_fd is None:
        listener = await listen(settings.host, settings.port)
    else:
        listener = socket.socket(fileno=listener_fd)
    async with find_database(settings) as url:
        app = create_app(cast(Any, settings.model_copy(update={"database_url": url})))
        _ignore_signals_that_come_again()
        _collect_less()
        log.info("api_starts", url=base_url(listener))
        try:
            await _server(app, trusted_proxies=settings.trusted_proxies).serve([listener])
        except SystemExit:
            raise Failed("The API did not start; the log above says why.") from None
    log.info("api_stopped")


def _collect_less() -> None:
    # Requests leave hardly any cycles, and what was loaded at the start stays: looking through all of it for
    # garbage every few hundred objects is time that bookings can use.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _server(app: Any, *, trusted_proxies: str | None) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=CorkedProtocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=trusted_proxies is not None,
        forwarded_allow_ips=trusted_proxies,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def _ignore_signals_that_come_again() -> None:
    # When it has stopped, uvicorn raises the signal again that stopped it: we have things to put away yet.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
