"""The oracle of the replay: first fit over nights, in plain Python, sharing nothing with the engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
