"""How far a client is: opaque to it, and good for all its channels at once."""

from __future__ import annotations

import re

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.events import Position

CURSOR_CHARS_MAX = 100
_CURSOR = re.compile(r"([0-9a-f]{8})-([0-9a-f]{1,16})-([0-9a-f]{1,16})")
_MAX = 2**63 - 1


def cursor_of(position: Position, history: str) -> str:
    """The cursor of a client that was told everything up to there. `history`: 8 hex digits that name the history
    of the database, since in another one the same place is another moment."""
    return f"{history}-{position.xid:x}-{position.seq:x}"


def parse_cursor(text: str) -> tuple[Position, str]:
    """The place, and the history it is of. Raises InvalidRequest."""
    found = _CURSOR.fullmatch(text)
    if found is not None:
        position = Position(int(found[2], 16), int(found[3], 16))
        if position.xid <= _MAX and position.seq <= _MAX:
            return position, found[1]
    raise InvalidRequest.of(
        "after", text[:CURSOR_CHARS_MAX], "must be a cursor that this service gave, as it was given"
    )


def public_epoch(epoch: int, history: str) -> str:
    """The epoch of a channel as clients are told it: it is another one whenever history was lost."""
    return f"{epoch:08x}-{history}"
