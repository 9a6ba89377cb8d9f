"""What is closed in a slot is never shown as available."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from holdfast.place.opening.spans import DAYS
from tests.booking.asking import DAY, at, instant
from tests.conftest import House


async def states(house: House, day: Any, who: dict[str, str] | None = None) -> dict[str, Any]:
    path = f"/clubs/{house.tenant}/venues/{house.document['slug']}/availability"
    response = await house.client.get(path, params={"date": str(day)}, headers=who)
    assert response.status_code == 200, response.text
    return {each["name"]: (each["state"], each["unitsFree"]) for each in response.json()["sections"]}


async def test_closed_days_and_closed_resources(house: House) -> None:
    breakfast = {"weekly": [{"days": list(DAYS), "open": "07:00", "close": "10:00"}]}
    late = {"weekly": [{"days": [f"{DAY:%a}".upper()[:2]], "open": "12:00", "close": "13:00"}]}
    tables = [
        {"slug": "a", "name": "A", "kind": "table"},
        {"slug": "b", "name": "B", "kind": "table", "hours": breakfast},
        {"slug": "c", "name": "C", "kind": "table", "hours": late},
    ]
    closed = {
        "weekly": [{"days": list(DAYS), "open": "12:00", "close": "22:00"}],
        "exceptions": [{"date": str(DAY + timedelta(days=1)), "closed": True}],
    }
    await house.replace({**house.document, "hours": closed, "resources": tables, "slots": []})
    for who, taken in ((None, "unavailable"), (house.bob, "blocked")):
        # An hour is too short for a booking of the usual length.
        assert await states(house, DAY, who) == {
            "A": ("available", 1),
            "B": ("available", 1),
            "C": (taken, 0),
        }
        only_b = await states(house, DAY + timedelta(days=1), who)
        assert only_b == {"A": (taken, 0), "B": ("available", 1), "C": (taken, 0)}
    await house.booked(start=at("07:00"), party_size=1)
    assert (await states(house, DAY))["B"] == ("unavailable", 0)


async def test_guests_see_what_they_can_book_now(house: House) -> None:
    """Until the last start that leaves them their notice, and from the first that is not too far ahead."""
    hours = {"weekly": [{"days": list(DAYS), "open": "12:00", "close": "22:00"}]}
    policy = {"slot_step_minutes": 30, "default_duration_minutes": 90, "min_notice_minutes": 120}
    await house.replace({**house.document, "hours": hours, "policy": policy})
    assert (await states(house, DAY))["T1"] == ("available", 1)
    shown = await section(house, DAY)
    assert datetime.fromisoformat(shown["bookableUntil"]) == instant("20:30") - timedelta(minutes=120)
    assert datetime.fromisoformat(shown["bookableFrom"]) == instant("12:00") - timedelta(days=365)
    for bound in ({"min_notice_minutes": 60 * 24 * 60}, {"max_advance_days": 7}):
        await house.change_policy(**{"min_notice_minutes": 0, "max_advance_days": 365, **bound})
        assert (await states(house, DAY))["T1"] == ("unavailable", 0), bound
        assert (await section(house, DAY))["reason"] == "not now"
        assert (await states(house, DAY, house.bob))["T1"] == ("available", 1)


async def section(house: House, day: Any) -> dict[str, Any]:
    path = f"/clubs/{house.tenant}/venues/{house.document['slug']}/availability"
    shown = (await house.client.get(path, params={"date": str(day)})).json()
    return next(each for each in shown["sections"] if each["name"] == "T1")
