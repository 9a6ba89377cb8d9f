"""Readers who get the same bytes: the same channels by the same names, with the same view, packed the same way."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.kernel.encode import encode
from holdfast.live.frames import Key
from holdfast.live.names import Subject
from holdfast.live.packing import Packing
from holdfast.live.stream import Stream

Views = tuple[tuple[Key, bytes, bool], ...]
"""Channels with the name that the reader calls each by (as JSON), and whether as staff; in order."""


def views_of(subjects: Iterable[Subject]) -> Views:
    """What a reader of these channels sees."""
    return tuple(sorted({((s.tenant_id, s.venue_id, s.channel), encode(s.name), s.staff) for s in subjects}))


class Audience:
    """Readers of one kind. `pending`: frames that are still to be packed for them."""

    __slots__ = ("packing", "pending", "streams", "views")

    def __init__(self, packing: Packing, views: Views) -> None:
        self.packing = packing
        self.views = views
        self.streams: dict[Stream, None] = {}
        self.pending: list[bytes] = []
