"""Three small venues that between them have every rule: two of one tenant, one of another."""

from __future__ import annotations

from typing import Any

EVERY_DAY = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def _open(opens: str, closes: str) -> dict[str, Any]:
    return {"weekly": [{"days": EVERY_DAY, "open": opens, "close": closes}]}


OSTERIA: dict[str, Any] = {
    "slug": "osteria",
    "name": "Osteria",
    "timezone": "Europe/Stockholm",
    "currency": "SEK",
    "policy": {"pacing_covers_max": 12, "holds_per_guest_max": 1, "holds_per_ip_max": 4},
    "hours": _open("10:00", "23:00"),
    "resources": [
        {"slug": "t1", "kind": "table", "seats_max": 2, "adjacent": [{"slug": "t2", "seats_lost": 1}]},
        {"slug": "t2", "kind": "table", "seats_max": 4, "adjacent": [{"slug": "t3", "seats_lost": 0}]},
        {"slug": "t3", "kind": "table", "seats_min": 2, "seats_max": 4, "buffer_after_minutes": 30},
        {"slug": "l1", "kind": "lane", "seats_max": 6, "hours": _open("12:00", "20:00")},
        {"slug": "s1", "kind": "section", "seats_min": 2, "seats_max": 6, "units": 3},
    ],
}
"""Tables that combine, a lane with hours of its own, a section of three units; pacing."""

CELLAR: dict[str, Any] = {
    "slug": "cellar",
    "name": "Cellar",
    "timezone": "UTC",
    "currency": "EUR",
    "policy": {
        "lifecycle": "deposit",
        "slot_step_minutes": 30,
        "default_duration_minutes": 60,
        "duration_minutes_max": 240,
        "buffer_before_minutes": 10,
        "buffer_after_minutes": 20,
        "min_notice_minutes": 60,
        "max_advance_days": 2,
        "hold_ttl_seconds": 3600,
        "auto_no_show": False,
        "holds_per_guest_max": 2,
        "idempotency_ttl_hours": 2,
    },
    "resources": [
        {"slug": "r1", "kind": "room", "seats_max": 4},
        {"slug": "s1", "kind": "section", "seats_max": 4, "units": 2, "buffer_before_minutes": 0},
    ],
}
"""Always open, paid in advance; buffers, notice, and keys that are kept for two hours."""

CLUB: dict[str, Any] = {
    "slug": "osteria",
    "name": "Club",
    "timezone": "America/New_York",
    "currency": "USD",
    "policy": {
        "lifecycle": "approval",
        "slot_step_minutes": 30,
        "approval_ttl_hours": 48,
        "no_show_grace_minutes": 0,
        "auto_complete": False,
        "combination_resources_max": 1,
        "pacing_covers_max": 9,
    },
    "hours": _open("18:00", "02:00"),
    "slots": [{"id": "late", "name": "Late", "start": "21:10", "minutes": 110}],
    "resources": [
        {"slug": "f1", "kind": "facility", "seats_max": 8, "adjacent": [{"slug": "f2", "seats_lost": 0}]},
        {"slug": "f2", "kind": "facility", "seats_min": 3, "seats_max": 5},
    ],
}
"""Open past midnight, with approval and a slot off the step; another tenant."""

REWRITES: tuple[dict[str, Any], ...] = (
    {},
    {"buffer_after_minutes": 45},
    {"min_notice_minutes": 180},
    {"no_show_grace_minutes": 60, "hold_ttl_seconds": 60},
    {"lifecycle": "instant", "auto_no_show": True, "auto_complete": True},
    {"lifecycle": "approval", "pacing_covers_max": 5, "approval_ttl_hours": 3},
)
"""Other rules that the manager gives a venue beside its own, one at a time."""
