"""Everybody orders several things at once: each gets all of them or none, nothing is given twice, and nobody is refused
what would still fit."""

from __future__ import annotations

import random
from typing import Any

from bench.crowd import Crowd
from tests.booking.asking import at
from tests.race.test_places import winners
from tests.wire import post, staff

ROUNDS = 3
ROOMS, STOOLS, TABLES = 5, 8, 3
THERE = {"room": ROOMS, "bar": STOOLS, "table": TABLES}


async def test_all_or_none_and_none_twice(open_house: Any, everybody: Crowd) -> None:
    house = await open_house(
        resources=[
            *[{"slug": f"r{n}", "kind": "room", "group": "room", "seats_max": 2} for n in range(ROOMS)],
            *[{"slug": f"t{n}", "kind": "table", "group": "table", "seats_max": 4} for n in range(TABLES)],
            {"slug": "bar", "kind": "seat", "seats_max": STOOLS, "units": STOOLS, "takes": "guests"},
        ]
    )
    token, dice = staff(house), random.Random(11)
    for day in range(ROUNDS):
        asked = [
            {"room": dice.randrange(3), "table": dice.randrange(3), "bar": dice.randrange(1, 5)}
            for _ in everybody.clients
        ]
        requests = [
            post(
                "/bookings",
                {
                    "venue_id": house.venue_id,
                    "start": at("18:00", day),
                    "end": at("20:00", day),
                    "items": [
                        *[{"group": "room", "party_size": 2}] * each["room"],
                        *[{"group": "table", "party_size": 3}] * each["table"],
                        {"resource_ids": house.ids("bar"), "party_size": each["bar"]},
                    ],
                },
                token=token,
            )
            for each in asked
        ]
        answers = await everybody.ask(requests)
        won = [each for each, answer in zip(asked, answers, strict=True) if answer.status == 201]
        assert len(winners(answers)) == len(won)
        left = {name: THERE[name] - sum(each[name] for each in won) for name in THERE}
        assert min(left.values()) >= 0, left
        refused = [each for each, answer in zip(asked, answers, strict=True) if answer.status != 201]
        assert refused
        for each in refused:
            assert any(each[name] > left[name] for name in THERE), (each, left)
        rooms = [id_ for answer in winners(answers) for id_ in answer["resource_ids"]]
        named = [id_ for id_ in rooms if id_ != house.ids("bar")[0]]
        assert len(named) == len(set(named))
