"""What is counted of guests who were refused, and of holds."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from prometheus_client import Counter

from holdfast.booking.routes.creating import HOLDS, REFUSED_AFTER_VIEW
from tests.booking.asking import at, move
from tests.conftest import House
from tests.live.looking import look


def counted(counter: Counter, label: str) -> float:
    samples = [sample for metric in counter.collect() for sample in metric.samples]
    return sum(s.value for s in samples if s.name.endswith("_total") and label in s.labels.values())


async def refusal(house: House, seen: int | None, **wanted: Any) -> str | None:
    """As what it was counted that somebody was refused who had seen that version."""
    before = {label: counted(REFUSED_AFTER_VIEW, label) for label in ("yes", "no", "unknown")}
    body = {"start": at("18:00"), "resource_ids": house.ids("t1"), **wanted}
    answer = await house.book(**body, **({} if seen is None else {"seen_version": seen}))
    assert answer.status_code != 201, answer.text
    changed = [label for label in before if counted(REFUSED_AFTER_VIEW, label) != before[label]]
    return changed[0] if changed else None


async def test_who_saw_an_older_version_was_stale(house: House) -> None:
    seen = await look(house)
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    now = await look(house)
    assert await refusal(house, seen["version"]) == "yes"
    assert await refusal(house, now["version"]) == "no"
    assert await refusal(house, None) is None


async def test_what_nobody_looked_at_is_unknown(house: House) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    assert await refusal(house, 0) == "unknown"


async def test_other_refusals_are_not_counted(house: House) -> None:
    await look(house)
    assert await refusal(house, 0, start=at("03:00")) is None


async def test_holds_are_counted_when_made_and_when_kept(app: FastAPI, house: House) -> None:
    made, kept = counted(HOLDS, "created"), counted(HOLDS, "converted")
    for slug in ("t1", "t2"):
        hold = await house.booked(start=at("18:00"), resource_ids=house.ids(slug), hold=True)
        answer = await move(house, hold, "CONFIRMED" if slug == "t1" else "CANCELLED")
        assert answer.status_code == 200, answer.text
    await house.booked(start=at("18:00"), resource_ids=house.ids("t3"))
    assert (counted(HOLDS, "created") - made, counted(HOLDS, "converted") - kept) == (2, 1)
