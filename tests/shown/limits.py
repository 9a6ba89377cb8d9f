"""What a random venue bounds besides its hours: what guests may have at a time, and how many of an extra there are."""

from __future__ import annotations

import random
from typing import Any

from holdfast.booking.said import Asker

Json = dict[str, Any]
GUESTS = ["gina", "hugo"]
ADDRESSES = ["192.0.2.1", "192.0.2.2"]
JUNIORS = "juniors"


def bounding(rng: random.Random, found: Json) -> Json:
    """The same venue; some bound what a guest, a group or an address may have."""
    pers = rng.sample(["guest", "guest", "group", "address"], rng.choice([0, 0, 0, 0, 1, 2, 3]))
    return found | {"policy": found["policy"] | {"fair_use": [_rule(rng, per) for per in pers]}}


def _rule(rng: random.Random, per: str) -> Json:
    bounds: Json = {
        "open_bookings_max": rng.choice([1, 3, 5]),
        "hours_per_week_max": rng.choice([4, 12, 60]),
        "days_ahead_max": rng.choice([0, 1, 2]),
        "at_once_max": rng.choice([1, 2]),
    }
    rule: Json = {name: bounds[name] for name in rng.sample(sorted(bounds), rng.choice([1, 1, 2]))}
    if per == "group" or rng.random() < 0.3:
        rule["groups"] = [JUNIORS]
    return rule | {"per": per}


def selling(rng: random.Random, found: Json) -> Json:
    """The same venue; it sells extras, of some of which there are only so many."""
    shoes = {"id": "shoes", "amount": "25.00", "per": "guest", "stock": rng.choice([0, 2, 5])}
    towels = {"id": "towels", "amount": "40.00", "stock": rng.choice([1, 3, None])}
    code = {"code": "SPRING", "percent": "10", "uses_max": rng.choice([1, 2])}
    return found | {"policy": found["policy"] | {"extras": [shoes, towels], "discounts": [code]}}


def somebody(rng: random.Random, *, is_staff: bool, source: str, groups: frozenset[str]) -> Asker:
    """One of those whose bookings the bounds count. Staff book for guests, and for nobody in particular."""
    guest_id = rng.choice([None, *GUESTS])
    if is_staff:
        return Asker(True, source, guest_id)
    own = groups | frozenset(rng.sample([JUNIORS], rng.randint(0, 1)))
    return Asker(False, source, guest_id, own, rng.choice(ADDRESSES))
