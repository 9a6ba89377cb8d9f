"""A day at a demo venue: what its staff and guests see of it, before and after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.place.document_text import load_text
from holdfast.place.opening.spans import DAYS
from tests.conftest import House

STOCKHOLM = ZoneInfo("Europe/Stockholm")
WEEKS_AHEAD = 5
"""All demo venues take bookings so far ahead."""
NOTHING = "-"
BY_RULE = ("not now", "no more arrivals", "no arrival", "too few nights free")
"""Why guests can't book what is free."""


def document(name: str) -> dict[str, Any]:
    """The demo document of that name, as its file says it."""
    return load_text((files("holdfast.demo") / "venues" / f"{name}.yaml").read_text("utf-8"))


async def opened(open_house: Callable[..., Any], name: str, **changes: Any) -> House:
    """A tenant with that demo venue, which nobody has booked yet."""
    return await open_house(**{"hours": {}} | document(name) | changes)


def coming(weekday: str, house: House) -> date:
    """Such a day, weeks ahead, in a week for which the document has no exceptions and no arrival rules of its own."""
    exceptions = house.document["hours"].get("exceptions", [])
    rules = house.document["policy"].get("arrival_rules", [])
    said = [each.get("date") for each in exceptions] + [
        each.get(end) for each in rules for end in ("from", "to")
    ]
    special = {date.fromisoformat(each) for each in said if each}
    day = datetime.now(STOCKHOLM).date() + timedelta(weeks=WEEKS_AHEAD)
    day += timedelta(days=(DAYS.index(weekday) - day.weekday()) % 7)
    while any(abs(day - each) < timedelta(days=7) for each in special):
        day += timedelta(days=7)
    return day


@dataclass
class Watch:
    """What is looked at: the picture of each of the dates and slots, resource by resource or, `by_group`, how many of
    each group are in which state; the starts that a guest is shown for these parties on the first date; and the range
    of all dates."""

    house: House
    dates: Sequence[date]
    slots: Sequence[str] = ("day",)
    parties: Sequence[int] = ()
    starts: Sequence[str] | None = None
    """Slots, or times of day; None: all."""
    asked: dict[str, Any] = field(default_factory=dict)
    """Further parameters of the day view."""
    guest: dict[str, str] | None = None
    """The headers of the guest who is shown the starts; None: Gina's."""
    by_group: bool = False
    with_range: bool = False
    _last: dict[str, str] = field(default_factory=dict)
    _versions: dict[tuple[date, str], int] = field(default_factory=dict)

    @property
    def day(self) -> date:
        return self.dates[0]

    def at(self, clock: str, days: int = 0) -> str:
        """That time on the venue's clock, so many days after the first date."""
        day = self.day + timedelta(days=days)
        return datetime.combine(day, time.fromisoformat(clock), STOCKHOLM).isoformat()

    @asynccontextmanager
    async def changes(self, *lines: str) -> AsyncIterator[list[str]]:
        """What happens within changes exactly these lines, `what: before > after`, of all that is looked at. More lines
        can be added to the list that it gives."""
        before = self._last or await self.seen()
        expected = list(lines)
        yield expected
        after = self._last = await self.seen()
        keys = [*before, *(after.keys() - before.keys())]
        pairs = ((key, before.get(key, NOTHING), after.get(key, NOTHING)) for key in keys)
        found = sorted(f"{key}: {old} > {new}" for key, old, new in pairs if old != new)
        assert found == sorted(expected), f"{found} instead of {sorted(expected)}"

    async def seen(self) -> dict[str, str]:
        """All that is looked at, a line for each thing."""
        found: dict[str, str] = {}
        for day in self.dates:
            for slot in self.slots:
                found |= await self._states(day, slot)
        for party in self.parties:
            for start in (await self.view(party))["starts"]:
                name = start["slot_id"] or start["start"][11:16]
                if self.starts is None or name in self.starts:
                    found[f"{party} at {name}"] = start["price"]
        return found | (await self._range() if self.with_range else {})

    async def view(self, party: int, *, on: date | None = None, **asked: Any) -> dict[str, Any]:
        """The day view for a party, as a guest is shown it."""
        params = {"date": str(on or self.day), "party_size": party} | self.asked | asked
        who = self.guest or self.house.gina
        return await self._get(f"/venues/{self.house.venue_id}/availability/day", params, who)

    async def picture(self, slot: str, who: dict[str, str], *, on: date | None = None) -> dict[str, Any]:
        """The picture of a slot of the first date, or of another, as somebody is shown it."""
        path = f"/clubs/{self.house.tenant}/venues/{self.house.venue['slug']}/availability"
        return await self._get(path, {"date": str(on or self.day), "slotId": slot}, who)

    async def _states(self, day: date, slot: str) -> dict[str, str]:
        staff = await self.picture(slot, self.house.bob, on=day)
        if staff["version"] != self._versions.get((day, slot)):
            self._versions[day, slot] = staff["version"]
            _assert_the_same(staff, await self.picture(slot, self.house.gina, on=day))
        name = slot if len(self.dates) == 1 else DAYS[day.weekday()]
        if self.by_group:
            return self._groups(name, staff)
        slugs = {id_: slug for slug, id_ in self.house.resources.items()}
        return {f"{name} {slugs[each['sectionId']]}": _state(each) for each in staff["sections"]}

    def _groups(self, name: str, picture: dict[str, Any]) -> dict[str, str]:
        groups = {each["id"]: each["group"] for each in self.house.venue["resources"]}
        found: dict[str, Counter[str]] = {}
        for each in picture["sections"]:
            found.setdefault(f"{name} {groups[each['sectionId']]}", Counter())[each["state"]] += 1
        return {
            key: " ".join(f"{states[state]} {state}" for state in sorted(states))
            for key, states in found.items()
        }

    async def _range(self) -> dict[str, str]:
        params = {"from": str(min(self.dates)), "to": str(max(self.dates)), "party_size": 2}
        path = f"/venues/{self.house.venue_id}/availability/range"
        items = (await self._get(path, params, self.house.gina))["items"]
        return {
            f"{DAYS[date.fromisoformat(each['date']).weekday()]} {each['group']} free": str(each["free"])
            for each in items
        }

    async def _get(self, path: str, params: dict[str, Any], who: dict[str, str]) -> dict[str, Any]:
        response = await self.house.client.get(path, params=params, headers=who)
        assert response.status_code == 200, response.text
        return response.json()


def _state(section: dict[str, Any]) -> str:
    left = section["unitsFree"]
    return f"{section['state']} {left}" if left > 1 else section["state"]


def _assert_the_same(staff: dict[str, Any], guest: dict[str, Any]) -> None:
    """A guest is shown the same picture, but not why a place is taken; and nothing that is free but past, or held back
    for some."""
    assert staff["version"] == guest["version"]
    for shown, seen in zip(staff["sections"], guest["sections"], strict=True):
        assert shown["sectionId"] == seen["sectionId"]
        assert seen["state"] in ("available", "unavailable")
        if seen.get("reason") == "held back":
            assert (shown["state"], bool(shown["heldBackFor"])) == ("available", True)
        elif seen.get("reason") not in BY_RULE:
            is_free = shown["state"] == "available"
            assert (is_free, shown["unitsFree"]) == (seen["state"] == "available", seen["unitsFree"])


def lines_of(booking: dict[str, Any]) -> list[str]:
    """The lines of its price: `label quantity x unit price = amount`, by label."""
    lines = sorted(booking["price_lines"], key=lambda each: each["label"])
    return [f"{each['label']} {each['quantity']} x {each['unit_price']} = {each['amount']}" for each in lines]


def slugs_of(booking: dict[str, Any]) -> list[str]:
    return [each["slug"] for each in booking["resources"]]
