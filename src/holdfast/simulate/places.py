"""The venues of a simulation: one of each kind, small enough to fill up."""

from __future__ import annotations

from typing import Any, Final

EVERY_DAY: Final = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def _open(opens: str, closes: str) -> dict[str, Any]:
    return {"weekly": [{"days": EVERY_DAY, "open": opens, "close": closes}]}


def _venue(
    slug: str, kind: str, timezone: str, currency: str, *, policy: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug.capitalize(),
        "kind": kind,
        "timezone": timezone,
        "currency": currency,
        "policy": {"max_advance_days": 60, **policy},
    } | more


def _table(number: int, seats: int, zone: str) -> dict[str, Any]:
    """Each table joins the next one, with the loss of a seat."""
    near = [{"slug": f"t{number + 1}", "seats_lost": 1}] if number < 8 else []
    return {"slug": f"t{number}", "kind": "table", "zone": zone, "seats_max": seats, "adjacent": near}


RESTAURANT: Final = _venue(
    "restaurant",
    "restaurant",
    "Europe/Stockholm",
    "SEK",
    policy={
        "buffer_after_minutes": 10,
        "durations": [{"party_size_max": 2, "minutes": 75}, {"party_size_max": 20, "minutes": 105}],
        "pacing_covers_max": 18,
    },
    hours=_open("10:00", "23:00"),
    resources=[_table(n, 2 if n < 5 else 4, "window" if n % 2 else "hall") for n in range(1, 9)],
)
BOWLING: Final = _venue(
    "bowling",
    "bowling",
    "Europe/Stockholm",
    "SEK",
    policy={"slot_step_minutes": 30, "default_duration_minutes": 60},
    hours=_open("12:00", "23:30"),
    resources=[
        {"slug": f"l{n}", "kind": "lane", "seats_max": 6, "adjacent": [f"l{n + 1}"]} for n in range(1, 5)
    ]
    + [{"slug": "l5", "kind": "lane", "seats_max": 6}],
)
NIGHTCLUB: Final = _venue(
    "nightclub",
    "nightclub",
    "America/New_York",
    "USD",
    policy={"slot_step_minutes": 30, "default_duration_minutes": 120},
    hours=_open("20:00", "03:00"),
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
HOTEL: Final = _venue(
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
STUDIO: Final = _venue(
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
    hours=_open("07:00", "21:00"),
    resources=[{"slug": f"m{n}", "kind": "room", "seats_max": 4 * n} for n in range(1, 4)],
)
PADDOCK: Final = _venue(
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
    hours=_open("09:00", "19:00"),
    resources=[{"slug": f"f{n}", "kind": "facility", "seats_max": 10} for n in range(1, 4)],
)

TENANTS: Final = {"north": (RESTAURANT, BOWLING, NIGHTCLUB), "south": (HOTEL, STUDIO, PADDOCK)}
"""Venue documents, by the name of their tenant."""

RULES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"buffer_after_minutes": 20},
    {"hold_ttl_seconds": 120, "offer_ttl_seconds": 600},
    {"no_show_grace_minutes": 45},
    {"min_notice_minutes": 45},
    {"auto_complete": False},
    {"offer_ttl_seconds": 1800, "payment_deadline_minutes": 20},
)
"""Policy changes that managers make, one at a time."""
