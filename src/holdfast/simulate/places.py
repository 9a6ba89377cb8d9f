"""The venues of a simulation: one of each kind, small enough to fill up."""

from __future__ import annotations

from typing import Any, Final

from holdfast.simulate.describe import described, open_daily
from holdfast.simulate.trades import ARENA, CELLAR, INN


def _table(number: int, seats: int, zone: str) -> dict[str, Any]:
    """Each table joins the next one, with the loss of a seat."""
    near = [{"slug": f"t{number + 1}", "seats_lost": 1}] if number < 8 else []
    return {"slug": f"t{number}", "kind": "table", "zone": zone, "seats_max": seats, "adjacent": near}


RESTAURANT: Final = described(
    "restaurant",
    "restaurant",
    "Europe/Stockholm",
    "SEK",
    policy={
        "buffer_after_minutes": 10,
        "durations": [{"party_size_max": 2, "minutes": 75}, {"party_size_max": 20, "minutes": 105}],
        "pacing_covers_max": 18,
    },
    hours=open_daily("10:00", "23:00"),
    resources=[_table(n, 2 if n < 5 else 4, "window" if n % 2 else "hall") for n in range(1, 9)],
)
BOWLING: Final = described(
    "bowling",
    "bowling",
    "Europe/Stockholm",
    "SEK",
    policy={"slot_step_minutes": 30, "default_duration_minutes": 60},
    hours=open_daily("12:00", "23:30"),
    resources=[
        {"slug": f"l{n}", "kind": "lane", "seats_max": 6, "adjacent": [f"l{n + 1}"]} for n in range(1, 5)
    ]
    + [{"slug": "l5", "kind": "lane", "seats_max": 6}],
)
NIGHTCLUB: Final = described(
    "nightclub",
    "nightclub",
    "America/New_York",
    "USD",
    policy={"slot_step_minutes": 30, "default_duration_minutes": 120},
    hours=open_daily("20:00", "03:00"),
    slots=[
        {"id": "slot_21_00", "name": "Early", "start": "21:00", "minutes": 135},
        {"id": "slot_23_30", "name": "Late", "start": "23:30", "minutes": 180},
    ],
    resources=[
        {"slug": "vip", "kind": "section", "seats_max": 8},
        {"slug": "bar", "kind": "section", "seats_max": 4, "units": 6, "buffer_before_minutes": 5},
        {"slug": "floor", "kind": "section", "seats_max": 6, "units": 10},
    ],
)
HOTEL: Final = described(
    "hotel",
    "hotel",
    "Europe/Lisbon",
    "EUR",
    policy={
        "slot_step_minutes": 60,
        "default_duration_minutes": 20 * 60,
        "duration_minutes_max": 5 * 24 * 60,
        "combination_resources_max": 1,
        "no_show_grace_minutes": 240,
        "hold_ttl_seconds": 900,
    },
    resources=[{"slug": f"r{n}", "kind": "room", "seats_max": 1 + n % 3} for n in range(1, 11)],
)
STUDIO: Final = described(
    "studio",
    "meeting",
    "America/Sao_Paulo",
    "BRL",
    policy={
        "lifecycle": "approval",
        "approval_ttl_hours": 6,
        "default_duration_minutes": 60,
        "min_notice_minutes": 60,
    },
    hours=open_daily("07:00", "21:00"),
    resources=[{"slug": f"m{n}", "kind": "room", "seats_max": 4 * n} for n in range(1, 4)],
)
PADDOCK: Final = described(
    "paddock",
    "facility",
    "Asia/Tokyo",
    "JPY",
    policy={
        "lifecycle": "deposit",
        "payment_deadline_minutes": 45,
        "buffer_before_minutes": 10,
        "default_duration_minutes": 90,
    },
    hours=open_daily("09:00", "19:00"),
    resources=[{"slug": f"f{n}", "kind": "facility", "seats_max": 10} for n in range(1, 4)],
)

TENANTS: Final = {
    "north": (RESTAURANT, BOWLING, NIGHTCLUB, ARENA, CELLAR),
    "south": (HOTEL, STUDIO, PADDOCK, INN),
}
"""Venue documents, by the name of their tenant."""
DOCUMENTS: Final = {said["slug"]: said for documents in TENANTS.values() for said in documents}
"""The same by slug."""

RULES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"buffer_after_minutes": 20},
    {"hold_ttl_seconds": 120, "offer_ttl_seconds": 600},
    {"no_show_grace_minutes": 45},
    {"min_notice_minutes": 45},
    {"auto_complete": False},
    {"offer_ttl_seconds": 1800, "payment_deadline_minutes": 20},
    {"bind_group": "on_the_day"},
    {"bind_group": "at_once"},
)
"""Policy changes that managers make, one at a time."""
