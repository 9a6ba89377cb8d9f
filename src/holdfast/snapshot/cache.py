"""The cache of snapshots: its entries, and the cache of one process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from holdfast.snapshot.freshness import Revision

TTL_S = 15.0
ENTRIES_MAX = 5_000
BYTES_MAX = 64 * 1024 * 1024
ENTRY_OVERHEAD = 400
"""Estimated size of an entry without its body, bytes."""


@dataclass(frozen=True, slots=True)
class CachedSnapshot:
    """A snapshot as it is sent: JSON and its strong ETag."""

    revision: Revision
    body: bytes
    etag: str

    @classmethod
    def of(cls, revision: Revision, body: bytes) -> CachedSnapshot:
        about = f"{revision.epoch} {revision.rules_version} ".encode()
        digest = blake2b(about + body, digest_size=9).hexdigest()
        return cls(revision, body, f'"{revision.version}-{digest}"')


class SharedCache(Protocol):
    """A cache that processes share. It may lose any entry at any time, and its methods never raise."""

    async def get(self, key: str) -> tuple[CachedSnapshot, float] | None:
        """Returns the entry and its remaining lifetime in seconds."""
        ...

    async def put(self, key: str, entry: CachedSnapshot) -> None:
        """Stores the entry for TTL_S."""
        ...

    async def close(self) -> None: ...


class MemoryCache:
    """The LRU cache of one process, bounded by entries and bytes."""

    def __init__(
        self,
        *,
        entries_max: int = ENTRIES_MAX,
        bytes_max: int = BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._clock = clock
        self._entries: OrderedDict[str, tuple[CachedSnapshot, float]] = OrderedDict()
        self.size = 0
        """Estimated bytes."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> CachedSnapshot | None:
        """Returns the entry unless it has expired."""
        cached = self._entries.get(key)
        if cached is None:
            return None
        if cached[1] <= self._clock():
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return cached[0]

    def put(self, key: str, entry: CachedSnapshot, *, ttl_s: float = TTL_S) -> None:
        """Stores the entry for `ttl_s`, and evicts the least recently used ones if the cache is over its bounds."""
        self.drop(key)
        self._entries[key] = (entry, self._clock() + ttl_s)
        self.size += _size(key, entry)
        while self._entries and (len(self._entries) > self._entries_max or self.size > self._bytes_max):
            self.drop(next(iter(self._entries)))

    def drop(self, key: str) -> None:
        """Removes the entry if present."""
        cached = self._entries.pop(key, None)
        if cached is not None:
            self.size -= _size(key, cached[0])


def _size(key: str, entry: CachedSnapshot) -> int:
    return len(key) + len(entry.body) + ENTRY_OVERHEAD
