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
        self._tail = b""  # the last bytes before: an empty line may be split between reads

    def __len__(self) -> int:
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def clear(self) -> None:
        self._data, self._at = b"", 0

    def next(self, body_left: int | None) -> bytes:
        """Removes and returns the first piece: up to the next empty line, or `body_left` bytes of a body."""
        data, start = self._data, self._at
        if body_left:
            end, is_whole = min(start + body_left, len(data)), True
        elif self._tail and (end := self._after_split_line(data, start)):
            is_whole = True
        else:
            found = data.find(_HEAD_END, start)
            end, is_whole = (len(data), False) if found < 0 else (found + len(_HEAD_END), True)
        piece = data[start:end]
        self._tail = b"" if is_whole else (self._tail + piece)[1 - len(_HEAD_END) :]
        if end == len(data):
            self._data, self._at = b"", 0
        else:
            self._at = end
        return piece

    def _after_split_line(self, data: bytes, start: int) -> int:
        """Returns the end of an empty line that the bytes before have begun, 0 if there is none."""
        found = (self._tail + data[start : start + len(_HEAD_END) - 1]).find(_HEAD_END)
        return 0 if found < 0 else start + found + len(_HEAD_END) - len(self._tail)
