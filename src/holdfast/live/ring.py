"""The latest events of all channels, for those who come back."""

from __future__ import annotations

from collections import deque

from holdfast.live.frames import Key, Told

REPLAY_EVENTS_MAX = 10_000
"""Who has missed more, of all channels together, is told to start anew."""


class Ring:
    """The last REPLAY_EVENTS_MAX events. All there are behind `floor` are here."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._all: deque[Told] = deque()
        self._by_key: dict[Key, deque[Told]] = {}

    def add(self, each: Told) -> None:
        """The next event in commit order."""
        self._all.append(each)
        self._by_key.setdefault(each.key, deque()).append(each)
        if len(self._all) > REPLAY_EVENTS_MAX:
            self._drop_first()

    def since(self, key: Key, after: int) -> list[Told]:
        """The events of that channel behind the place, which must not be before `floor`; oldest first."""
        found: list[Told] = []
        for each in reversed(self._by_key.get(key, ())):
            if each.position <= after:
                break
            found.append(each)
        found.reverse()
        return found

    def _drop_first(self) -> None:
        first = self._all.popleft()
        self.floor = first.position
        of_key = self._by_key[first.key]
        of_key.popleft()
        if not of_key:
            del self._by_key[first.key]
