"""Which refusals a better choice of rooms would have avoided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from datetime import date, timedelta

from holdfast.replay.plan import Plan
from holdfast.replay.stay import Stay


def scattered(plan: Plan, accepted: Set[int]) -> frozenset[int]:
    """Lines of the refused stays that found a room of their type free on each night, when they asked, but
    none that was free on all of them. The other refused met a night on which all rooms were promised.

    `accepted`: lines of the stays that got a room.
    """
    promised: Counter[tuple[str, str, date]] = Counter()
    found: set[int] = set()
    for action in plan.actions:
        stay = action.stay
        nights = [(stay.hotel, stay.room_type, night) for night in _nights(stay)]
        if stay.line not in accepted:
            rooms = plan.hotels[stay.hotel].room_types[stay.room_type]
            if action.kind == "create" and all(promised[night] < rooms for night in nights):
                found.add(stay.line)
        elif action.kind == "create":
            promised.update(nights)
        elif action.kind != "check_in":
            promised.subtract(nights)
    return frozenset(found)


def _nights(stay: Stay) -> list[date]:
    return [stay.arrival_on + timedelta(days=night) for night in range(stay.nights)]
