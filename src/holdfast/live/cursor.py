"""How far a client is: opaque to it, and good for all its channels at once."""

from __future__ import annotations

import re

from holdfast.kernel.errors import InvalidRequest

CURSOR_CHARS_MAX = 100
_CURSOR = re.compile(r"([0-9a-f]{8})-([0-9a-f]{1,16})")
_MAX = 2**63 - 1


def cursor_of(position: int, history: str) -> str:
    """The cursor of a client that was sent everything up to the position. `history`: the epoch of positions, since in
    another one the same position is another moment."""
    return f"{history}-{position:x}"


def parse_cursor(text: str) -> tuple[int, str]:
    """The position, and the history it belongs to. Raises InvalidRequest."""
    found = _CURSOR.fullmatch(text)
    if found is not None:
        position = int(found[2], 16)
        if position <= _MAX:
            return position, found[1]
    raise InvalidRequest.of(
        "after", text[:CURSOR_CHARS_MAX], "must be a cursor that this service gave, as it was given"
    )


def public_epoch(epoch: int, history: str) -> str:
    """The epoch of a channel as clients are told it: it is another one whenever history was lost."""
    return f"{epoch:08x}-{history}"
