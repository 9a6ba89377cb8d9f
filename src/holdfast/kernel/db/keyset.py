"""Keyset pagination: a cursor is the sort key of the last item on the page, opaque to clients."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from holdfast.kernel.errors import InvalidRequest

K = TypeVar("K")
T = TypeVar("T")


class Keyset(Generic[K]):
    """The sort order of a list. Its cursors are JSON in base64.

    `key`: the type of the sort key, with its bounds. `field`: the parameter that takes the cursor. `advice`: the
    error message for an invalid cursor.
    """

    def __init__(
        self, key: Any, *, field: str = "cursor", advice: str = "give the `next` of the previous page"
    ) -> None:
        self._key: TypeAdapter[K] = TypeAdapter(key)
        self._field, self._advice = field, advice

    def cursor(self, key: K) -> str:
        """Encodes a sort key."""
        return base64.urlsafe_b64encode(self._key.dump_json(key)).decode().rstrip("=")

    def page(
        self, found: Sequence[T], key: Callable[[T], K], *, limit: int
    ) -> tuple[Sequence[T], str | None]:
        """Returns the first `limit` items and the cursor of the next page, None at the end. `key`: the sort key of an
        item."""
        items = found[:limit]
        return items, self.cursor(key(items[-1])) if len(found) > limit else None

    def key(self, cursor: str | None) -> K | None:
        """Decodes a cursor; None for None. Raises InvalidRequest."""
        if cursor is None:
            return None
        try:
            text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
            return self._key.validate_json(text, strict=True)
        except (UnicodeEncodeError, ValueError) as error:
            raise InvalidRequest.of(self._field, cursor[:40], self._advice) from error
