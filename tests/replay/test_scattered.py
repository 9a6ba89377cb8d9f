from __future__ import annotations

from datetime import date

from holdfast.replay.occupancy import scattered
from holdfast.replay.plan import plan_replay
from holdfast.replay.stay import Stay

from .first_fit import first_fit
from .rows import stay


def at(line: int, booked: int, arrival: int, departure: int, outcome: str = "completed") -> Stay:
    """Days of July 2015."""
    days = [date(2015, 7, day) for day in (booked, arrival, departure)]
    return stay(
        line,
        booked_on=days[0],
        arrival_on=days[1],
        departure_on=days[2],
        outcome=outcome,
        ended_on=days[2],
    )


def refused_and_scattered(*stays: Stay) -> tuple[list[int], set[int]]:
    plan = plan_replay(stays)
    assert plan.hotels["City Hotel"].rooms == 2
    fitted = first_fit(plan.hotels, plan.actions)
    return [one.line for one in fitted.refused], set(scattered(plan, fitted.room_of.keys()))


def test_free_nights_in_different_rooms_are_scattered() -> None:
    # Line 4 has to avoid 3, and so stands in the way of 5; rooms chosen later would take all four.
    stays = (at(2, 1, 10, 12), at(3, 2, 13, 14), at(4, 3, 12, 15), at(5, 4, 10, 13))
    assert refused_and_scattered(*stays) == ([5], {5})


def test_a_night_on_which_all_is_promised_is_not() -> None:
    held = (at(2, 1, 10, 12), at(3, 1, 10, 12, outcome="cancelled"), at(4, 2, 11, 13))
    assert refused_and_scattered(*held) == ([4], set())
