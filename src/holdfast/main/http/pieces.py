"""Cuts received bytes into pieces for the parser. A piece never goes past the end of a head or of a message."""

from __future__ import annotations

_HEAD_END = b"\r\n\r\n"


class Pieces:
    """Received bytes, in order. True if there are any.

    Heads end with an empty line, and so does a chunked body (RFC 9112, 7.1); any other body has a known length. So
    whatever follows a request is only parsed after the request was answered.
    """

    __slots__ = ("_at", "_data", "_tail")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._tail = b""  # the last bytes of the piece before: an empty line may be split between two reads

    def __len__(self) -> int:
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def put_back(self, data: bytes) -> None:
        """Puts the bytes in front of the others."""
        self._data, self._at = data + self._data[self._at :], 0

    def clear(self) -> None:
        self._data, self._at = b"", 0

    def next(self, body_left: int | None) -> bytes:
        """Removes and returns the first piece: up to the next empty line, or `body_left` bytes of a body."""
        data, start = self._data, self._at
        end = min(start + body_left, len(data)) if body_left else self._after_empty_line(data, start)
        if end == len(data):
            self.clear()
        else:
            self._at = end
        piece = data[start:end]
        self._tail = piece[1 - len(_HEAD_END) :]
        return piece

    def _after_empty_line(self, data: bytes, start: int) -> int:
        if self._tail.endswith((b"\r", b"\n")):
            found = (self._tail + data[start : start + len(_HEAD_END) - 1]).find(_HEAD_END)
            if found >= 0:
                return start + found + len(_HEAD_END) - len(self._tail)
        found = data.find(_HEAD_END, start)
        return len(data) if found < 0 else found + len(_HEAD_END)
