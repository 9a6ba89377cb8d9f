"""Random venues and visits, as often as not around a change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from holdfast.kernel.span import Span
from holdfast.place.opening.spans import DAYS
from holdfast.place.opening.stretches import changes
from tests.port.oracle import DECIMALS, Asked

ZONES = (
    "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago",
    "Pacific/Chatham", "Asia/Tokyo", "Europe/Dublin", "Africa/Cairo", "UTC",
)  # fmt: skip
RESOURCES = (
    {"slug": "l1", "kind": "lane", "zone": "hall", "seats_max": 8},
    {"slug": "r1", "kind": "room", "zone": "sea", "seats_max": 8, "attributes": {"view": "sea", "floor": 2}},
    {
        "slug": "r2",
        "kind": "room",
        "zone": "hall",
        "seats_max": 8,
        "attributes": {"view": "yard"},
        "group": "plain",
    },
    {"slug": "bar", "kind": "seat", "zone": "hall", "seats_max": 8, "units": 20, "takes": "guests"},
)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

clocks = st.integers(0, 95).map(lambda n: f"{n // 4:02}:{n % 4 * 15:02}")


@st.composite
def rules(draw: st.DrawFn, currency: str, around: date) -> dict[str, Any]:
    minor = draw(st.sampled_from([0, 1, 99, 100, 333, 12_345, 100_000]))
    decimals = DECIMALS[currency]
    rule: dict[str, Any] = {
        "per": draw(st.sampled_from(["hour", "hour", "hour", "night", "night", "booking", "guest"])),
        "amount": f"{minor // 10**decimals}.{minor % 10**decimals:0{decimals}}" if decimals else str(minor),
    }
    near = st.integers(-2, 3).map(lambda n: (around + timedelta(days=n)).isoformat())
    some: dict[str, st.SearchStrategy[Any]] = {
        "start": clocks,
        "end": clocks,
        "days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True),
        "kinds": st.just(["room"]),
        "zones": st.just(["hall"]),
        "groups": st.just(["plain"]),
        "attributes": st.just({"view": "sea"}),
        "slots": st.just(["late"]),
        "party_size_min": st.integers(2, 4),
        "lead_minutes_min": st.integers(0, 3000),
        "tax_percent": st.sampled_from(["0", "6", "12.5", "25", "7.7001"]),
        "label": st.sampled_from(["Peak", "Off-peak"]),
    }
    for name in draw(st.lists(st.sampled_from([*some, "start", "end", "dates"]), max_size=4, unique=True)):
        if name == "dates":
            rule["from"], rule["to"] = sorted((draw(near), draw(near)))
        else:
            rule[name] = draw(some[name])
    return rule


@st.composite
def visits(draw: st.DrawFn, *, hours_max: int = 40) -> Asked:
    zone, currency = draw(st.sampled_from(ZONES)), draw(st.sampled_from(sorted(DECIMALS)))
    start = FIRST + timedelta(minutes=draw(st.integers(0, 3 * 365 * 96)) * 15)
    turns = changes(Span(start, start + timedelta(days=370)), ZoneInfo(zone))
    if turns and draw(st.booleans()):
        start = turns[0] - timedelta(minutes=draw(st.integers(0, 8 * 60)))
    length = draw(st.integers(1, 12 * 60) | st.integers(1, hours_max * 60))
    around = start.astimezone(ZoneInfo(zone)).date()
    policy = {
        "price_rules": draw(st.lists(rules(currency, around), max_size=5)),
        "tax_percent": draw(st.sampled_from(["0", "25", "12.005"])),
        "tax_included": draw(st.booleans()),
        "hour_counting": draw(st.sampled_from(["begun", "exact"])),
    }
    return Asked(
        policy=policy,
        timezone=zone,
        currency=currency,
        resources=draw(
            st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2, unique_by=lambda r: r["slug"])
        ),
        start=start,
        end=start + timedelta(minutes=length),
        party_size=draw(st.integers(1, 5)),
        slot_id=draw(st.sampled_from([None, "late", "early"])),
        now=start - timedelta(minutes=draw(st.integers(-5, 4000))),
    )
