"""What a client has sent, cut into pieces that a parser can be given one at a time, each with the end of one head in
it; and how much of a message is not its body."""

from __future__ import annotations

_HEAD_END = b"\r\n\r\n"

BODY_PIECE_BYTES = 128
"""Inside a body no empty line ends a piece sooner than this. A piece has its price; and should the body end among so
few bytes, few heads follow it there."""


class Pieces:
    """Bytes in the order of their arrival. True while there are any.

    `overhead`: bytes of the message but those of its body. Exact at the end of a head and of a message; in between
    with the rest of the piece, which is not parsed yet.
    """

    __slots__ = ("_at", "_data", "_head_end", "_unparsed", "overhead")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._unparsed = 0  # bytes of the piece that are of no head or body seen so far
        self._head_end = 0  # bytes of the piece up to the end of a head
        self.overhead = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def put_back(self, data: bytes) -> None:
        """They come before the others."""
        self._data, self._at = data + self._data[self._at :], 0

    def clear(self) -> None:
        self._data, self._at = b"", 0

    def next(self, *, head_bytes_max: int, in_body: bool) -> bytes:
        """Removes the first piece.

        `head_bytes_max`: all there is comes as one piece where it is no longer than that and holds one end of a head,
        as usual requests do with their bodies. `in_body`: the parser is inside a body.
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

    # What the parser finds in the piece

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
