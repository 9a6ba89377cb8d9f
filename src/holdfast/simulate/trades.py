"""More venues of a simulation: a sports hall that splits into courts, a cellar with sittings and a counter, and an inn
that sells nights by type. They sell little of everything, so that it runs out."""

from __future__ import annotations

from typing import Any, Final

from holdfast.simulate.describe import EVERY_DAY, described, open_daily


def _court(number: int) -> dict[str, Any]:
    return {"slug": f"c{number}", "kind": "facility", "seats_max": 4}


ARENA: Final = described(
    "arena",
    "sports",
    "Europe/Berlin",
    "EUR",
    policy={
        "slot_step_minutes": 30,
        "default_duration_minutes": 60,
        "buffer_after_minutes": 5,
        "hour_counting": "exact",
        "tax_percent": "19",
        "price_rules": [
            {"label": "Evening", "start": "17:00", "end": "24:00", "per": "hour", "amount": "31.50"},
            {"per": "hour", "amount": "19.99"},
        ],
        "extras": [
            {"id": "rackets", "name": "Rackets", "amount": "4.50", "stock": 5},
            {"id": "balls", "name": "Balls", "amount": "3.00", "per": "guest", "stock": 12},
            {"id": "water", "name": "Water", "amount": "1.10"},
        ],
        "discounts": [
            {"code": "CLUB", "percent": "12.5", "uses_max": 7},
            {"code": "FIVE", "amount": "5.00", "uses_max": 3},
        ],
    },
    hours=open_daily("08:00", "23:00"),
    resources=[
        *(_court(number) for number in range(1, 5)),
        {"slug": "west", "kind": "facility", "seats_max": 12, "parts": ["c1", "c2"]},
        {"slug": "east", "kind": "facility", "seats_max": 12, "parts": ["c3", "c4"]},
        {
            "slug": "hall",
            "kind": "facility",
            "seats_max": 40,
            "parts": ["west", "east"],
            "buffer_after_minutes": 15,
        },
        {"slug": "gym", "kind": "facility", "seats_max": 6, "units": 10, "takes": "guests"},
    ],
)
CELLAR: Final = described(
    "cellar",
    "restaurant",
    "Europe/Lisbon",
    "EUR",
    policy={
        "starts": "slots",
        "default_duration_minutes": 120,
        "duration_step_minutes": 15,
        "pacing": [
            {"slots": ["early", "late"], "covers_max": 14},
            {"start": "18:00", "end": "19:30", "parties_max": 5},
        ],
        "price_rules": [{"per": "guest", "amount": "45.00"}],
        "discounts": [{"code": "REGULAR", "percent": "10", "uses_max": 10}],
    },
    hours=open_daily("17:00", "01:00"),
    slots=[
        {"id": "early", "name": "Early", "start": "18:30", "minutes": 120},
        {"id": "late", "name": "Late", "start": "21:00", "minutes": 150},
    ],
    resources=[
        {"slug": "counter", "kind": "seat", "seats_max": 4, "units": 8, "takes": "guests"},
        *(
            {"slug": f"t{n}", "kind": "table", "seats_max": 4, "adjacent": [f"t{n % 4 + 1}"]}
            for n in range(1, 5)
        ),
    ],
)


def _room(number: int, group: str, seats: int) -> dict[str, Any]:
    return {"slug": f"r{number}", "kind": "room", "group": group, "seats_max": seats}


INN: Final = described(
    "inn",
    "hotel",
    "Europe/Athens",
    "EUR",
    policy={
        "bind_group": "at_check_in",
        "nights_max": 6,
        "arrival_rules": [{"closed_to_arrival": ["SU"]}, {"closed_to_departure": ["WE"], "nights_max": 5}],
        "combination_resources_max": 1,
        "buffer_after_minutes": 120,
        "no_show_grace_minutes": 480,
        "tax_percent": "13",
        "tax_included": True,
        "price_rules": [
            {"label": "Weekend", "days": ["FR", "SA"], "per": "night", "amount": "118.00"},
            {"groups": ["double"], "per": "night", "amount": "89.00"},
            {"per": "night", "amount": "64.90"},
        ],
        "extras": [{"id": "cot", "name": "Cot", "amount": "10.00", "stock": 2}],
    },
    hours={"weekly": [{"days": EVERY_DAY, "open": "00:00", "close": "24:00"}]},
    stay={"check_in": "15:00", "check_out": "11:00"},
    resources=[*(_room(n, "double", 2) for n in range(1, 6)), *(_room(n, "single", 1) for n in range(6, 8))],
)
