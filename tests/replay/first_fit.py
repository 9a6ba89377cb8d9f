"""The oracles of the replay: first fit over nights, and counting them. In plain Python, sharing nothing with the
engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from holdfast.replay.plan import Action, Hotel
from holdfast.replay.stay import Stay


@dataclass(frozen=True)
class Fitted:
    """`room_of`: line -> (hotel, room type, room number from 1) of each accepted booking, the refused
    in the order in which they were refused."""

    room_of: dict[int, tuple[str, str, int]]
    refused: list[Stay]

    @property
    def refused_but_stayed(self) -> list[Stay]:
        return [stay for stay in self.refused if stay.outcome == "completed"]


def first_fit(hotels: dict[str, Hotel], actions: Iterable[Action]) -> Fitted:
    """Each booking gets the lowest-numbered room of its type that is free for all its nights, when made.
    It gives its nights back when it is cancelled, not shown up for or checked out."""
    rooms: dict[tuple[str, str], list[dict[int, Stay]]] = {
        (hotel.name, room_type): [{} for _ in range(count)]
        for hotel in hotels.values()
        for room_type, count in hotel.room_types.items()
    }
    fitted = Fitted({}, [])
    for action in actions:
        stay = action.stay
        of_type = rooms[stay.hotel, stay.room_type]
        if action.kind == "create":
            number = next((n for n, room in enumerate(of_type, 1) if _is_free(room, stay)), None)
            if number is None:
                fitted.refused.append(stay)
            else:
                of_type[number - 1][stay.line] = stay
                fitted.room_of[stay.line] = (stay.hotel, stay.room_type, number)
        elif action.kind != "check_in" and stay.line in fitted.room_of:
            del of_type[fitted.room_of[stay.line][2] - 1][stay.line]
    return fitted


def _is_free(room: dict[int, Stay], stay: Stay) -> bool:
    return all(
        other.departure_on <= stay.arrival_on or other.arrival_on >= stay.departure_on
        for other in room.values()
    )


def refused_by_count(hotels: dict[str, Hotel], actions: Iterable[Action]) -> list[int]:
    """The lines that are refused, in order, where a booking is refused only if some of its nights has as many bookings
    of its type as there are rooms."""
    taken: dict[tuple[str, str], dict[int, Stay]] = {}
    refused: list[int] = []
    for action in actions:
        stay = action.stay
        of_type = taken.setdefault((stay.hotel, stay.room_type), {})
        if action.kind == "create":
            rooms = hotels[stay.hotel].room_types[stay.room_type]
            if any(count >= rooms for count in _by_night(of_type, stay)):
                refused.append(stay.line)
            else:
                of_type[stay.line] = stay
        elif action.kind != "check_in":
            of_type.pop(stay.line, None)
    return refused


def _by_night(taken: dict[int, Stay], stay: Stay) -> list[int]:
    nights = (stay.departure_on - stay.arrival_on).days
    days = [stay.arrival_on + timedelta(days=n) for n in range(nights)]
    return [sum(each.arrival_on <= day < each.departure_on for each in taken.values()) for day in days]
