"""HTTP answers in one piece.

uvicorn writes the head of an answer and its body one after the other, each with a system call of its own. For
answers as short as ours that is a good part of what they cost.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, on a transport that sends what is written in one turn of the loop together."""

    def connection_made(self, transport: Any) -> None:
        corked: Any = _Corked(transport)
        super().connection_made(corked)


class _Corked:
    """A transport that keeps what is written until the turn is over, or until it is closed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._kept:
            asyncio.get_running_loop().call_soon(self._flush)
        self._kept.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        kept, self._kept = self._kept, []
        if kept and not self._transport.is_closing():
            self._transport.write(b"".join(kept))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
