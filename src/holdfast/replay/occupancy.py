"""Occupancy of the hotels per night, and which refusals a better choice of rooms would have avoided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from datetime import date, timedelta

from holdfast.replay.plan import ReplayPlan
from holdfast.replay.stay import Stay


@dataclass(frozen=True, slots=True)
class NightlyOccupancy:
    """A hotel's occupied rooms per night, starting with the night of `first_on`.

    `taken`: rooms occupied by guests whose booking was accepted. `missed`: rooms that according to the file were
    occupied by guests whose booking the replay refused. Neither counts nights after an early check-out, cancelled
    bookings or no-shows.
    """

    hotel: str
    rooms: int
    first_on: date
    taken: tuple[int, ...]
    missed: tuple[int, ...]

    @property
    def slept_in(self) -> list[int]:
        """Rooms occupied per night, whether taken or missed."""
        return [taken + missed for taken, missed in zip(self.taken, self.missed, strict=True)]

    @property
    def months(self) -> list[tuple[int, date]]:
        """The first night and the first of each month, each with its index."""
        days = [(index, self.first_on + timedelta(days=index)) for index in range(len(self.taken))]
        return [(index, day) for index, day in days if day.day == 1 or index == 0]

    @property
    def peak(self) -> tuple[date, int]:
        """The fullest night, the earliest if there are several, and its number of rooms taken."""
        most = max(self.taken, default=0)
        index = self.taken.index(most) if self.taken else 0
        return self.first_on + timedelta(days=index), most

    @property
    def open_nights(self) -> range:
        """Indexes of the nights from the hotel's first guest to its last, taken or missed."""
        full = [index for index, rooms in enumerate(self.slept_in) if rooms]
        return range(full[0], full[-1] + 1) if full else range(0)

    @property
    def mean_share(self) -> float:
        """Room nights taken as a share of all room nights in `open_nights`, 0.0 to 1.0."""
        room_nights = self.rooms * len(self.open_nights)
        return sum(self.taken) / room_nights if room_nights else 0.0


def occupancy(plan: ReplayPlan, accepted: Set[int]) -> tuple[NightlyOccupancy, ...]:
    """Returns each hotel's occupancy over the same nights: from the first night with a guest in any hotel to the last.
    `accepted`: lines of the stays that got a room. Empty if nobody stayed at all."""
    slept = [stay for stay in plan.stays if stay.outcome == "completed" and stay.left_on > stay.arrival_on]
    if not slept:
        return ()
    first_on = min(stay.arrival_on for stay in slept)
    nights = (max(stay.left_on for stay in slept) - first_on).days
    return tuple(
        NightlyOccupancy(
            hotel=hotel.name,
            rooms=hotel.rooms,
            first_on=first_on,
            taken=_by_night([s for s in slept if s.hotel == name and s.line in accepted], first_on, nights),
            missed=_by_night(
                [s for s in slept if s.hotel == name and s.line not in accepted], first_on, nights
            ),
        )
        for name, hotel in plan.hotels.items()
    )


def _by_night(stays: list[Stay], first_on: date, nights: int) -> tuple[int, ...]:
    rooms = [0] * nights
    for stay in stays:
        for night in range((stay.arrival_on - first_on).days, (stay.left_on - first_on).days):
            rooms[night] += 1
    return tuple(rooms)


def scattered(plan: ReplayPlan, accepted: Set[int]) -> frozenset[int]:
    """Returns the lines of refused stays for which, when they were requested, a room of their type was free on each
    night but no single room on all of them. The other refused stays include a night on which all rooms were promised.

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
