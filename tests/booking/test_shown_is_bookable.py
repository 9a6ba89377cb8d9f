"""What the day view shows can be booked, and what can be booked is shown: at random venues, for all starts of a day."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from holdfast.place.opening.spans import DAYS
from tests.conftest import House

from .asking import DAY, STOCKHOLM

OWN = [
    None,
    {"weekly": [{"days": list(DAYS), "open": "07:10", "close": "10:00"}]},
    {"weekly": [{"days": list(DAYS), "open": "20:00", "close": "02:00"}]},
]


def _document(rng: random.Random) -> dict[str, Any]:
    tables = [
        {"slug": f"t{n}", "kind": "table", "seats_max": rng.choice([2, 4]), "hours": rng.choice(OWN)}
        for n in range(4)
    ]
    closed = [{"date": str(DAY), "closed": True}]
    return {
        "hours": {
            "weekly": [{"days": list(DAYS), "open": "12:00", "close": rng.choice(["22:00", "03:00"])}],
            "exceptions": rng.choice([[], closed]),
        },
        "policy": {"slot_step_minutes": rng.choice([15, 30]), "starts": rng.choice(["any", "any", "slots"])},
        "slots": [{"id": "odd", "name": "Odd", "start": rng.choice(["07:25", "18:05"]), "minutes": 90}],
        "resources": tables,
    }


@pytest.mark.parametrize("seed", range(3))
async def test_the_day_view_and_the_check_agree(seed: int, open_house: Any) -> None:
    rng = random.Random(seed)
    house: House = await open_house(**_document(rng))
    midnight = datetime.combine(DAY, datetime.min.time(), STOCKHOLM)
    every = [midnight + timedelta(minutes=5 * n) for n in range(24 * 12)]
    for start in rng.sample(every, 40):
        await house.book(start=start.isoformat(), party_size=rng.choice([1, 2, 4]))
    seen = set[str]()
    for who in (house.gina, house.bob):
        shown = set[str]()
        for day in (DAY - timedelta(days=1), DAY):
            path, query = f"/venues/{house.venue_id}/availability/day", {"date": str(day), "party_size": 2}
            starts = (await house.client.get(path, params=query, headers=who)).json()["starts"]
            shown |= {each["start"] for each in starts if each["start"][:10] == str(DAY)}
        free = set[str]()
        for start in every:
            body = {"venue_id": house.venue_id, "party_size": 2, "start": start.isoformat()}
            found = await house.client.post("/bookings/availability/check", json=body, headers=who)
            if found.is_success and found.json()["available"]:
                free.add(start.isoformat())
        assert shown == free, f"seed {seed}"
        seen |= free
    assert seen, "a venue at which nothing is ever free shows nothing"
