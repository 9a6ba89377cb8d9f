"""At random venues that hold something back, everything that shows what is free agrees with what can be booked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.place.opening.spans import DAYS
from tests.conftest import House

from .asking import DAY, at, cancel
from .keeping import TABLES, Json, check, held, member, until, view

Open = Callable[..., Any]
RULES: list[Json] = [
    {"group": "four", "share_percent": 50, "for": "members"},
    {"group": "four", "share_percent": 34, "for": "walk_in"},
    {"resources": ["hall"], "for": "web"},
    {"resources": ["a", "t1"], "for": "members"},
    {"resources": ["t1"], "for": "phone"},
]


def _document(rng: random.Random) -> Json:
    rules = [
        {**each, "until_minutes": rng.choice([0, until("14:30"), until("17:30"), until("19:30")])}
        for each in rng.sample(RULES, rng.randint(1, 3))
    ]
    tables = [{**each, "adjacent": ["t2"] if each["slug"] == "t1" else []} for each in TABLES]
    hall = [
        {"slug": "a", "kind": "facility"},
        {"slug": "hall", "kind": "facility", "parts": ["a"], "seats_max": 9},
    ]
    hours = {"weekly": [{"days": list(DAYS), "open": "13:00", "close": "21:00"}]}
    return {**held(*rules, resources=[*tables, *hall]), "hours": hours}


@pytest.mark.parametrize("seed", [2, 4, 5])
async def test_what_is_shown_can_be_booked_and_nothing_else(seed: int, open_house: Open) -> None:
    rng = random.Random(seed)
    house: House = await open_house(**_document(rng))
    size, kept_out = rng.choice([2, 2, 6]), 0
    every = [at(f"{hour}:00") for hour in range(13, 21)]
    for start in rng.choices(every, k=14):
        await house.book(start=start, party_size=rng.choice([2, 4]))
    for who, source in (({}, "api"), (house.gina, "web"), (member(house), "api"), (house.bob, "phone")):
        asked: Json = {"party_size": size, "source": source}
        shown = {each["start"]: each for each in (await view(house, "day", who, **asked))["starts"]}
        for start in every:
            seen = await check(house, who, start=start, **asked)
            made = await house.book(who, start=start, **asked)
            assert (start in shown, seen["available"]) == (made.is_success, made.is_success), (
                f"seed {seed}, {start}"
            )
            if not made.is_success:
                kept_out += any("held back" in each.get("reason", "") for each in made.json()["conflicts"])
                continue
            chosen = made.json()["resource_ids"]
            assert (chosen, chosen) == (shown[start]["resource_ids"], seen["options"][0]["resource_ids"])
            await cancel(house, made.json())
            named = rng.choice([*house.resources.values()])
            at_it = await check(house, who, start=start, **asked | {"party_size": 1}, resource_ids=[named])
            made = await house.book(who, start=start, **asked | {"party_size": 1}, resource_ids=[named])
            assert at_it["available"] == made.is_success, f"seed {seed}, {start}, {named}"
            if made.is_success:
                await cancel(house, made.json())
        days = (await view(house, "month", who, **asked))["days"]
        assert bool(shown) <= (str(DAY) in days)
        counted = (await view(house, "range", who, **asked))["items"]
        alone = any(len(each["resource_ids"]) == 1 for each in shown.values())
        assert any(each["free"] for each in counted) == alone
    assert kept_out, f"seed {seed}: nothing was ever held back from anybody"
