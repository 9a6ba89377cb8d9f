"""Random venues: hours and exceptions, slots, stays, parts, types, units by guest, buffers, pacing, notice, and what is
held back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from holdfast.place.opening.spans import DAYS

Json = dict[str, Any]
HELD_FOR = ["walk_in", "members", "phone", "web", "waitlist"]
OPENINGS = [
    [("12:00", "22:00")],
    [("07:10", "11:00"), ("17:30", "23:50")],
    [("18:00", "03:00")],
    [("22:00", "04:00")],
    [("23:30", "02:30")],
    [("00:00", "24:00")],
    [("00:30", "05:00"), ("12:00", "15:00")],
]


def document(rng: random.Random, zone: str, days: Sequence[date]) -> Json:
    """A venue that is interesting on these days."""
    make = rng.choice([_restaurant, _restaurant, _club, _courts, _hotel, _hotel])
    return make(rng, days) | {"timezone": zone}


def holding_back(rng: random.Random, found: Json) -> Json:
    """The same venue; some hold back some of it."""
    slugs = [each["slug"] for each in found["resources"]]
    groups = sorted({each["group"] for each in found["resources"] if each.get("group")})
    rules = list[Json]()
    for for_ in rng.sample(HELD_FOR, rng.choice([0, 0, 1, 1, 2])):
        rule: Json = {"for": for_, "until_minutes": rng.choice([0, 60, 600, 1440, 4000])}
        if groups and rng.random() < 0.5:
            rule |= {"group": rng.choice(groups), "share_percent": rng.choice([20, 50, 50])}
        else:
            rule["resources"] = rng.sample(slugs, rng.randint(1, (len(slugs) + 1) // 2))
        rules.append(rule)
    return found | {"policy": found["policy"] | {"held_back": rules}}


def _restaurant(rng: random.Random, days: Sequence[date]) -> Json:
    tables = [
        {
            "slug": f"t{n}",
            "seats_min": rng.choice([1, 1, 2]),
            "seats_max": rng.choice([2, 4, 6]),
            "zone": rng.choice(["hall", "terrace"]),
            "hours": rng.choice([None, None, None, _hours(rng, days)]),
            "buffer_after_minutes": rng.choice([None, None, 10]),
        }
        for n in range(rng.randint(1, 5))
    ]
    for one, other in pairwise(tables):
        if rng.random() < 0.5:
            one["adjacent"] = [{"slug": other["slug"], "seats_lost": rng.choice([0, 1])}]
    counter = {"slug": "bar", "kind": "seat", "units": 4, "takes": "guests", "seats_max": 3}
    counter["seats_min"] = rng.choice([1, 2])
    return _venue(rng, days, [*tables, *([counter] if rng.random() < 0.4 else [])])


def _club(rng: random.Random, days: Sequence[date]) -> Json:
    sections = [
        {
            "slug": f"s{n}",
            "kind": "section",
            "units": rng.choice([1, 1, 3]),
            "group": rng.choice([None, "vip"]),
            "hours": rng.choice([None, None, _hours(rng, days)]),
        }
        for n in range(rng.randint(1, 4))
    ]
    return _venue(rng, days, sections, slots=True)


def _courts(rng: random.Random, days: Sequence[date]) -> Json:
    group = rng.choice([None, "court"])
    courts = [
        {
            "slug": f"c{n}",
            "kind": "facility",
            "group": group,
            "hours": rng.choice([None, None, _hours(rng, days)]),
        }
        for n in range(3)
    ]
    pool = {
        "slug": "pool",
        "kind": "facility",
        "units": 4,
        "takes": "guests",
        "seats_max": 4,
        "group": "pool",
    }
    half = {"slug": "half", "kind": "facility", "seats_max": 8, "parts": ["c0", "c1"], "group": group}
    half["buffer_after_minutes"] = rng.choice([0, 30])
    hall = {"slug": "hall", "kind": "facility", "seats_max": 20, "parts": ["half", "c2"], "group": group}
    club = {"slug": "club", "kind": "facility", "seats_max": 20, "parts": ["c2", "pool"]}
    lanes = [{"slug": f"l{n}", "kind": "lane", "group": "lane", "seats_max": 6} for n in range(3)]
    return _venue(rng, days, [*courts, pool, half, hall, club] if rng.random() < 0.7 else lanes, late=True)


def _hotel(rng: random.Random, days: Sequence[date]) -> Json:
    rooms = [
        {
            "slug": f"r{n}",
            "kind": "room",
            "group": rng.choice(["sea", "sea", "court", None]),
            "seats_max": 2,
            "buffer_after_minutes": 0,
        }
        for n in range(rng.randint(2, 6))
    ]
    found = _venue(rng, days, rooms, late=True)
    found["stay"] = {
        "check_in": rng.choice(["15:00", "00:00", "02:30"]),
        "check_out": rng.choice(["11:00", "00:00", "02:00"]),
    }
    if found["stay"]["check_out"] > found["stay"]["check_in"]:
        found["stay"]["check_out"] = "00:00"
    rule = {
        "from": str(rng.choice(days)),
        "closed_to_arrival": rng.sample(DAYS, 2),
        "closed_to_departure": rng.sample(DAYS, 2),
        "nights_min": rng.choice([1, 2]),
    }
    found["slots"] = []
    found["policy"] |= {
        "starts": "any",
        "nights_max": rng.choice([None, 3]),
        "arrival_rules": rng.choice([[], [], [rule]]),
        "duration_minutes_max": 60 * 1440,
        "pacing": [],
    }
    return found


def _venue(
    rng: random.Random,
    days: Sequence[date],
    resources: list[Json],
    *,
    slots: bool = False,
    late: bool = False,
) -> Json:
    bind = rng.choice(["at_once", "on_the_day", "at_check_in"]) if late else "at_once"
    if any(each.get("parts") or each.get("takes") for each in resources if each.get("group")):
        bind = "at_once"
    usual = rng.choice([45, 90, 90, 150])
    policy = {
        "slot_step_minutes": rng.choice([15, 30, 30, 25]),
        "default_duration_minutes": usual,
        "durations": rng.choice([[], [{"party_size_max": 2, "minutes": 60}]]),
        "duration_minutes_max": rng.choice([usual, 360, 3000]),
        "guests_choose_duration": rng.choice([True, True, False]),
        "buffer_after_minutes": rng.choice([0, 0, 20]),
        "buffer_before_minutes": rng.choice([0, 0, 5]),
        "min_notice_minutes": rng.choice([0, 0, 90, 1500]),
        "max_advance_days": rng.choice([365, 365, 2]),
        "starts": rng.choice(["any", "slots"]) if slots or rng.random() < 0.2 else "any",
        "bind_group": bind,
        "pacing_covers_max": rng.choice([None, None, 6]),
        "pacing": _pacing(rng),
    }
    policy["duration_minutes_max"] = max(policy["duration_minutes_max"], 60, usual)
    return {
        "hours": _hours(rng, days),
        "policy": policy,
        "slots": _slots(rng) if slots or rng.random() < 0.2 else [],
        "resources": [_alike(each, resources) if bind != "at_once" else each for each in resources],
    }


def _alike(resource: Json, resources: list[Json]) -> Json:
    """Where types are bound late, all of one are alike."""
    first = next(each for each in resources if each.get("group") == resource.get("group"))
    if resource.get("group") is None:
        return resource
    return resource | {
        "hours": first.get("hours"),
        "seats_max": first.get("seats_max", 4),
    }


def _hours(rng: random.Random, days: Sequence[date]) -> Json:
    spans = rng.choice(OPENINGS)
    open_on = [each for each in DAYS if rng.random() < 0.9] or list(DAYS)
    weekly = [{"days": open_on, "open": opens, "close": closes} for opens, closes in spans]
    exceptions = [_exception(rng, day) for day in rng.sample(days, rng.choice([0, 0, 1, 2]))]
    return {"weekly": weekly if rng.random() < 0.9 else [], "exceptions": exceptions}


def _exception(rng: random.Random, day: date) -> Json:
    if rng.random() < 0.5:
        return {"date": str(day), "closed": True, "name": "Holiday"}
    spans = rng.choice(OPENINGS)
    return {"date": str(day), "spans": [{"open": opens, "close": closes} for opens, closes in spans]}


def _slots(rng: random.Random) -> list[Json]:
    starts = rng.sample(["07:25", "12:00", "18:05", "22:00", "23:30", "00:30", "02:00"], rng.randint(1, 3))
    return [
        {
            "id": f"s{n}",
            "name": f"S{n}",
            "start": start,
            "minutes": rng.choice([60, 90, 120, 240]),
            "days": rng.choice([list(DAYS), list(DAYS), list(DAYS[3:])]),
        }
        for n, start in enumerate(starts)
    ]


def _pacing(rng: random.Random) -> list[Json]:
    if rng.random() < 0.7:
        return []
    rule: Json = {rng.choice(["covers_max", "parties_max"]): rng.choice([2, 5])}
    if rng.random() < 0.4:
        rule["sources"] = rng.choice([["web"], ["api", "web"], ["waitlist"]])
    if rng.random() < 0.4:
        rule |= {"start": "18:00", "end": rng.choice(["20:00", "02:00"])}
    return [rule]
