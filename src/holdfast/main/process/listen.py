"""The socket the API listens on."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time

from holdfast.main.process.outcome import Failed

BACKLOG = 2048
"""Connections waiting to be accepted; the operating system's limit (somaxconn) may be lower."""
FREE_WAIT_S = 2.0
"""A server that was just killed can hold the port for a moment."""
RETRY_S = 0.1


async def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket (port 0: any free port). Raises `Failed` if it can't get the port."""
    deadline = time.monotonic() + FREE_WAIT_S
    while True:
        try:
            return _listening(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise Failed(_sentence(host, port, error)) from error
        await asyncio.sleep(RETRY_S)


def address(listener: socket.socket) -> tuple[str, int]:
    """Returns the host and port for connecting to the socket from this machine."""
    host, port = map(str, listener.getsockname()[:2])
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)


def base_url(listener: socket.socket) -> str:
    """Returns the base URL, such as `http://127.0.0.1:8000`."""
    host, port = address(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: stop the program that uses it, or choose another --port."
    reason = error.strerror or os.strerror(error.errno or 0)
    return f"Can't listen on port {port} of {host} ({reason}): choose another --port or --host."
