"""Which slots clients mean by what they ask for, kept so that the same question need not be looked up again."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

from holdfast.live.freshness import Freshness
from holdfast.live.snapshot import Wanted

MEANINGS_MAX = 20_000
KEPT_S = 15.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A slot as a client names it."""

    tenant: str
    venue: str
    date: str
    slot_id: str | None


class Meanings:
    """They hold while nothing of the venue changes, as far as this process knows, and for KEPT_S at most."""

    def __init__(self, fresh: Freshness) -> None:
        self._fresh = fresh
        self._kept: OrderedDict[Asked, tuple[Wanted, int, float]] = OrderedDict()

    def known(self, asked: Asked) -> Wanted | None:
        """What is meant by it, if that was `learnt` and did not change since."""
        kept = self._kept.get(asked)
        if kept is None or not self._fresh.is_following():
            return None
        wanted, mark, until = kept
        if mark != self._fresh.floors.mark(wanted.venue_id) or until <= time.monotonic():
            return None
        self._kept.move_to_end(asked)
        return wanted

    def moment(self) -> int:
        """To be taken before it is looked up what is meant."""
        return self._fresh.floors.latest_mark

    def learnt(self, asked: Asked, wanted: Wanted, *, since: int) -> None:
        """What is meant was looked up, beginning at that moment."""
        mark = self._fresh.floors.mark(wanted.venue_id)
        if mark > since:
            return  # The venue changed meanwhile.
        self._kept[asked] = (wanted, mark, time.monotonic() + KEPT_S)
        self._kept.move_to_end(asked)
        if len(self._kept) > MEANINGS_MAX:
            self._kept.popitem(last=False)
