"""How frames travel: as messages for the server to send, or as the bytes that go over the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.live.frames import Transport

_TEXT = 0x81  # RFC 6455, 5.2: the last part of a message, of text


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """One way for frames to travel. `pack`: what is to be written for them, in as few parts as can be."""

    transport: Transport
    pack: Callable[[list[bytes]], list[bytes]]


def _joined(frames: list[bytes]) -> list[bytes]:
    return [b"".join(frames)]


def _chunk(frames: list[bytes]) -> list[bytes]:
    data = b"".join(frames)
    return [b"%x\r\n%b\r\n" % (len(data), data)]  # RFC 9112, 7.1


def _alone(frames: list[bytes]) -> list[bytes]:
    return frames


def _messages(frames: list[bytes]) -> list[bytes]:
    return [b"".join(part for frame in frames for part in (_head(len(frame)), frame))]


def _head(length: int) -> bytes:
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65536:
        return bytes((_TEXT, 126)) + length.to_bytes(2, "big")
    return bytes((_TEXT, 127)) + length.to_bytes(8, "big")


SSE = Packing("sse", _joined)
SSE_WIRE = Packing("sse", _chunk)
WS = Packing("ws", _alone)
WS_WIRE = Packing("ws", _messages)
