"""Cuts received bytes into pieces for the parser, each with the end of at most one head, and counts a message's bytes
outside its body."""

from __future__ import annotations

_HEAD_END = b"\r\n\r\n"

BODY_PIECE_BYTES = 128
"""Inside a body, an empty line does not end a piece shorter than this. Each piece costs time, and if the body ends
within so few bytes, only few heads can follow it in the same piece."""


class Pieces:
    """Received bytes, in order. True if there are any.

    `overhead`: the message's bytes outside its body. Exact at the end of a head and of a message; otherwise it includes
    the rest of the piece that is not parsed yet.
    """

    __slots__ = ("_at", "_data", "_head_end", "_unparsed", "overhead")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._unparsed = 0  # bytes of the piece that no head or body seen so far covers
        self._head_end = 0  # bytes of the piece up to the end of its head
        self.overhead = 0

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

    def next(self, *, head_bytes_max: int, in_body: bool) -> bytes:
        """Removes and returns the first piece.

        `head_bytes_max`: up to this length everything is returned as one piece if it contains one end of a head, as a
        usual request with its body does. `in_body`: the parser is inside a body.
        """
        data, start = self._data, self._at
        head_end, end = _cut(data, start, head_bytes_max=head_bytes_max, in_body=in_body)
        if end == len(data):
            self.clear()
        else:
            self._at = end
        self._head_end, self._unparsed = head_end - start, end - start
        self.overhead += self._unparsed
        return data[start:end]

    # Called by the parser

    def message_begins(self) -> None:
        self.overhead = self._unparsed

    def head_ends(self) -> None:
        self._unparsed = max(self._unparsed - self._head_end, 0)

    def body(self, count: int) -> None:
        self.overhead -= count
        self._unparsed -= count


def _cut(data: bytes, start: int, *, head_bytes_max: int, in_body: bool) -> tuple[int, int]:
    found = data.find(_HEAD_END, start)
    if found < 0:
        return len(data), len(data)
    end = found + len(_HEAD_END)
    if in_body and end - start < BODY_PIECE_BYTES:
        end = min(start + BODY_PIECE_BYTES, len(data))
    if len(data) - start <= head_bytes_max and data.find(_HEAD_END, end) < 0:
        return end, len(data)
    return end, end
