"""Pages of lists: keyset pagination. A cursor is the sort key of the last item on the page, opaque to clients."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import TypeAdapter

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import answer

K = TypeVar("K")
T = TypeVar("T")

LIMIT_DEFAULT = 50
LIMIT_MAX = 500

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Maximum number of items.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")]


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


@dataclass(frozen=True, slots=True)
class Page:
    """The requested page of a list: up to `limit` items after `cursor`."""

    limit: int
    cursor: str | None

    @property
    def read_max(self) -> int:
        """How many items to read: one more than the page holds tells whether there is a next page."""
        return self.limit + 1

    def after(self, order: Keyset[K]) -> K | None:
        """Returns the key that the page starts after; None for the first page. Raises InvalidRequest."""
        return order.key(self.cursor)

    def answer(
        self, found: Sequence[T], show: Callable[[T], Any], order: Keyset[K], key: Callable[[T], K]
    ) -> Response:
        """Returns the page as JSON. `found`: up to `read_max` items after the cursor. `key`: an item's sort key."""
        items, following = order.page(found, key, limit=self.limit)
        return answer({"items": [show(each) for each in items], "next": following})


BY_ID: Keyset[UUID] = Keyset(UUID)
"""Lists sorted by id, that is by time of creation."""


async def _page(limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page:
    return Page(limit, cursor)


AskedPage = Annotated[Page, Depends(_page)]
