"""Everybody comes at once where only some may arrive: never more than that, and never fewer."""

from __future__ import annotations

from typing import Any

from bench.crowd import Crowd
from tests.booking.asking import at
from tests.wire import book, staff

FLOOR = {"slug": "floor", "name": "Floor", "kind": "section", "seats_max": 6, "units": 200}


def accepted(answers: list[Any]) -> int:
    """How many were booked; all others were refused by the rule."""
    assert {each.status for each in answers} == {201, 400}
    assert {each.json()["code"] for each in answers if each.status == 400} == {"PACING_EXCEEDED"}
    return sum(each.status == 201 for each in answers)


async def test_as_many_arrive_as_may(open_house: Any, everybody: Crowd) -> None:
    pacing = [{"start": "18:00", "end": "20:00", "covers_max": 21, "parties_max": 50}, {"parties_max": 12}]
    house = await open_house(resources=[FLOOR], policy={"pacing": pacing})
    token, clocks = staff(house), ["18:00", "18:15", "19:00", "19:45"]
    requests = [
        book(house, token=token, start=at(clocks[number % 4]), end=at("21:00"), party_size=2)
        for number, _ in enumerate(everybody.clients)
    ]
    assert accepted(await everybody.ask(requests)) == 10
    late = [book(house, token=token, start=at("20:00"), end=at("21:00")) for _ in everybody.clients]
    assert accepted(await everybody.ask(late)) == 2
