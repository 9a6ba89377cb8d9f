"""Halls made of courts, and counters whose stools guests take one by one: what is accepted, and what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.identity.issuer import DevIssuer
from tests.block.asking import block, remove
from tests.conftest import House, open_house_at

from .asking import DAY, at, cancel, change, claims, instant, move, read, refused
from .units import Served
from .units import served as served
from .units import sound as sound

STEP = timedelta(minutes=15)
OPENS, STEPS_A_DAY, LENGTH_MAX = "10:00", 52, 8
Steps = tuple[int, int]
"""From one step of the day to another."""
UNITS = {"c1": 1, "c2": 1, "c3": 1, "counter": 6}
LEAVES = {"half": ("c1", "c2"), "hall": ("c1", "c2", "c3"), "club": ("c3", "counter")}
SEATS = {
    "c1": (1, 4),
    "c2": (1, 4),
    "c3": (2, 5),
    "counter": (1, 5),
    "half": (3, 8),
    "hall": (6, 20),
    "club": (9, 12),
}


def resources(buffer: int = 0) -> list[dict[str, Any]]:
    """`buffer`: after a booking of the hall, minutes."""
    made: dict[str, dict[str, Any]] = {
        slug: {"slug": slug, "kind": "facility", "seats_min": low, "seats_max": high}
        for slug, (low, high) in SEATS.items()
    }
    made["counter"] |= {"kind": "seat", "units": 6, "takes": "guests"}
    made["half"]["parts"] = ["c1", "c2"]
    made["hall"] |= {"parts": ["half", "c3"], "buffer_after_minutes": buffer}
    made["club"]["parts"] = ["counter", "c3"]
    return list(made.values())


@dataclass
class Counting:
    """How many units of each leaf are taken at each step of the day."""

    buffer: int
    taken: dict[str, dict[tuple[str, int], int]] = field(default_factory=dict)
    """By booking or block: (leaf, step) -> units."""

    def needs(self, slug: str, party_size: int, when: Steps) -> dict[tuple[str, int], int]:
        end = when[1] + (self.buffer if slug == "hall" else 0)
        units = {leaf: UNITS[leaf] for leaf in LEAVES.get(slug, ())} or {
            slug: party_size if slug == "counter" else 1
        }
        return {(leaf, step): many for leaf, many in units.items() for step in range(when[0], end)}

    def has_room(self, needs: dict[tuple[str, int], int], *, but: str | None = None) -> bool:
        others = [each for id_, each in self.taken.items() if id_ != but]
        return all(
            many + sum(each.get(place, 0) for each in others) <= UNITS[place[0]]
            for place, many in needs.items()
        )

    def fits(self, slug: str, party_size: int, when: Steps, *, but: str | None = None) -> bool:
        low, high = SEATS[slug]
        return low <= party_size <= high and self.has_room(self.needs(slug, party_size, when), but=but)


def span_of(when: Steps) -> dict[str, str]:
    start, end = (instant(OPENS) + STEP * each for each in when)
    return {"start": start.isoformat(), "end": end.isoformat()}


times = st.builds(
    lambda start, length: (start, start + length), st.integers(0, 14), st.integers(1, LENGTH_MAX)
)
kinds = st.sampled_from(
    ["book"] * 6
    + ["any"] * 3
    + ["set", "move", "party", "party", "place", "cancel", "cancel", "block", "unblock"]
)
scripts = st.lists(
    st.tuples(kinds, st.sampled_from(sorted(SEATS)), times, st.integers(1, 10), st.integers(0, 50)),
    min_size=25,
    max_size=50,
)


@settings(max_examples=10)
@given(buffer=st.sampled_from([0, 30]), script=scripts)
async def test_what_is_accepted_and_shown_is_what_counting_allows(
    served: Served, issuer: DevIssuer, buffer: int, script: list[tuple[str, str, Steps, int, int]]
) -> None:
    house = await open_house_at(served[1], issuer, resources=resources(buffer))
    run = Script(house, Counting(buffer // 15))
    for kind, slug, when, size, pick in script:
        await getattr(run, kind)(slug, when, size, pick)
    await run.look()


@dataclass
class Script:
    """Each step is done for real, and must come to what counting says."""

    house: House
    oracle: Counting
    made: dict[str, tuple[dict[str, Any], str, int, Steps]] = field(default_factory=dict)
    """The bookings: as they are, the resource, the party, and when."""
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_house: set[str] = field(default_factory=set[str])
    """The bookings whose place the house chose: these may go to another one."""

    def one_of(self, pick: int) -> str | None:
        return sorted(self.made)[pick % len(self.made)] if self.made else None

    def settle(
        self, response: httpx.Response, slug: str, size: int, when: Steps, *, named: bool = True
    ) -> None:
        booking = response.json()
        (self.by_house.discard if named else self.by_house.add)(booking["id"])
        self.made[booking["id"]] = booking, slug, size, when
        self.oracle.taken[booking["id"]] = self.oracle.needs(slug, size, when)

    async def book(self, slug: str, when: Steps, size: int, pick: int) -> None:
        wanted = {"resource_ids": self.house.ids(slug), "party_size": size, **span_of(when)}
        low, high = SEATS[slug]
        ok, seated = self.oracle.fits(slug, size, when), low <= size <= high
        body = {"venue_id": self.house.venue_id, **wanted}
        seen = await self.house.client.post("/bookings/availability/check", json=body)
        assert seen.status_code == (200 if seated else 400), seen.text
        assert not seated or seen.json()["available"] is ok
        response = await self.house.book(**wanted)
        assert response.status_code == (201 if ok else 409 if seated else 400), (ok, response.text)
        if ok:
            self.settle(response, slug, size, when)

    async def any(self, slug: str, when: Steps, size: int, pick: int) -> None:
        """Whatever suits, the best first: fewest seats wasted, then the order of the venue's list."""
        best = self.best(size, when)
        response = await self.house.book(party_size=size, **span_of(when))
        assert response.status_code == (201 if best else 409), (best, response.text)
        if best:
            assert response.json()["resource_ids"] == self.house.ids(best)
            self.settle(response, best, size, when, named=False)

    def best(self, size: int, when: Steps, *, but: str | None = None) -> str | None:
        fitting = [each for each in SEATS if self.oracle.fits(each, size, when, but=but)]
        return min(fitting, key=lambda each: SEATS[each][1] - size, default=None)

    async def set(self, slug: str, when: Steps, size: int, pick: int) -> None:
        """Several at once, of which as many win as there is room for."""
        size = min(max(size, SEATS[slug][0]), SEATS[slug][1])
        wanted = {"resource_ids": self.house.ids(slug), "party_size": size, **span_of(when)}
        answers = await asyncio.gather(*(self.house.book(**wanted) for _ in range(1 + pick % 4)))
        for each in sorted(answers, key=lambda each: each.status_code):
            ok = self.oracle.fits(slug, size, when)
            assert each.status_code == (201 if ok else 409), each.text
            if ok:
                self.settle(each, slug, size, when)

    async def move(self, slug: str, when: Steps, size: int, pick: int) -> None:
        if id_ := self.one_of(pick):
            booking, own, had, _ = self.made[id_]
            to, named = own if self.oracle.fits(own, had, when, but=id_) else None, id_ not in self.by_house
            if to is None and not named:
                to = self.best(had, when, but=id_)
            response = await change(self.house, booking, **span_of(when))
            assert response.status_code == (200 if to else 409), (to, response.text)
            if to:
                assert response.json()["resource_ids"] == self.house.ids(to)
                self.settle(response, to, had, when, named=named)

    async def party(self, slug: str, when: Steps, size: int, pick: int) -> None:
        if id_ := self.one_of(pick):
            booking, own, _, had = self.made[id_]
            low, high = SEATS[own]
            size = min(max(size, low), high)
            ok = self.oracle.fits(own, size, had, but=id_)
            body = {"party_size": size, "resource_ids": self.house.ids(own), "end": booking["end"]}
            response = await change(self.house, booking, **body)
            assert response.status_code == (200 if ok else 409), (ok, response.text)
            if ok:
                self.settle(response, own, size, had)

    async def place(self, slug: str, when: Steps, size: int, pick: int) -> None:
        """To another resource."""
        if id_ := self.one_of(pick):
            booking, _, had, time_ = self.made[id_]
            low, high = SEATS[slug]
            ok, seated = self.oracle.fits(slug, had, time_, but=id_), low <= had <= high
            response = await change(self.house, booking, resource_ids=self.house.ids(slug))
            assert response.status_code == (200 if ok else 409 if seated else 400), (ok, response.text)
            if ok:
                self.settle(response, slug, had, time_)

    async def cancel(self, slug: str, when: Steps, size: int, pick: int) -> None:
        if id_ := self.one_of(pick):
            assert (await cancel(self.house, self.made[id_][0])).status_code == 200
            del self.made[id_], self.oracle.taken[id_]

    async def block(self, slug: str, when: Steps, size: int, pick: int) -> None:
        leaves = LEAVES.get(slug, (slug,))
        needs = {(leaf, step): UNITS[leaf] for leaf in leaves for step in range(*when)}
        ok = self.oracle.has_room(needs)
        response = await block(self.house, slug, on_conflict="refuse", **span_of(when))
        assert response.status_code == (201 if ok else 409), response.text
        if ok:
            self.blocks[response.json()["id"]] = response.json()
            self.oracle.taken[response.json()["id"]] = needs

    async def unblock(self, slug: str, when: Steps, size: int, pick: int) -> None:
        if self.blocks:
            id_ = sorted(self.blocks)[pick % len(self.blocks)]
            assert (await remove(self.house, self.blocks.pop(id_))).status_code in (200, 204)
            del self.oracle.taken[id_]

    async def look(self) -> None:
        """The views show what counting allows, and no more."""
        for size, length in ((1, 1), (2, 4), (4, 2), (6, 8), (10, 3)):
            starts = range(STEPS_A_DAY - length + 1)
            free = {n for n in starts if any(self.oracle.fits(each, size, (n, n + length)) for each in SEATS)}
            shown = await self.house.client.get(
                f"/venues/{self.house.venue_id}/availability/day",
                params={"date": str(DAY), "party_size": size, "duration_minutes": 15 * length},
            )
            assert {each["start"] for each in shown.json()["starts"]} == {at_step(n) for n in free}
        tenant, venue = self.house.tenant, self.house.venue["slug"]
        path = f"/clubs/{tenant}/venues/{venue}/availability"
        seen = await self.house.client.get(path, params={"date": str(DAY)}, headers=self.house.bob)
        sections = {each["name"]: each for each in seen.json()["sections"]}
        for slug in SEATS:
            sizes = [
                n for n in range(1, 7) if self.oracle.has_room(self.oracle.needs(slug, n, (0, STEPS_A_DAY)))
            ]
            assert (sections[slug]["state"] == "available") == bool(sizes), slug
            assert sections[slug]["unitsFree"] == (len(sizes) if slug == "counter" else min(len(sizes), 1))


def at_step(number: int) -> str:
    minutes = 600 + 15 * number
    return at(f"{minutes // 60:02}:{minutes % 60:02}")


HALL = [
    {"slug": "court-a", "name": "Court A", "kind": "facility", "seats_max": 10},
    {"slug": "court-b", "name": "Court B", "kind": "facility", "seats_max": 10},
    {"slug": "hall", "name": "Hall", "kind": "facility", "seats_max": 40, "parts": ["court-a", "court-b"]},
    {"slug": "counter", "name": "Counter", "kind": "seat", "units": 8, "takes": "guests", "seats_max": 4},
]
Open = Callable[..., Any]


async def test_a_booking_of_the_whole_claims_its_parts_and_names_the_whole(
    open_house: Open, owner: asyncpg.Connection
) -> None:
    house: House = await open_house(resources=HALL)
    booking = await house.booked(resource_ids=house.ids("hall"), party_size=20, start=at("18:00"))
    assert booking["resource_ids"] == house.ids("hall")
    assert {place for place, *_ in await claims(owner, booking)} == {*house.ids("court-a", "court-b")}
    answer = await house.book(resource_ids=house.ids("court-b"), start=at("18:30"))
    problem = refused(answer, 409, "FACILITY_NOT_AVAILABLE")
    assert [each["resource_name"] for each in problem["conflicts"]] == ["Court B"]
    for slug in ("court-a", "hall"):
        params = {"resource_id": house.resources[slug]}
        path = f"/bookings/venue/{house.venue_id}"
        listed = (await house.client.get(path, params=params, headers=house.bob)).json()["items"]
        assert [each["id"] for each in listed] == [booking["id"]], slug


async def test_each_guest_takes_a_stool(open_house: Open, owner: asyncpg.Connection) -> None:
    house: House = await open_house(resources=HALL)
    counter = {"resource_ids": house.ids("counter"), "start": at("18:00")}
    first = await house.booked(**counter, party_size=4)
    assert len(await claims(owner, first)) == 4
    second = await house.booked(**counter, party_size=3)
    problem = refused(await house.book(**counter, party_size=2), 409, "SEAT_NOT_AVAILABLE")
    assert {each["resource_name"] for each in problem["conflicts"]} == {"Counter"}
    assert len(problem["conflicts"]) == 2, "one for each party, not for each stool"
    await house.booked(**counter, party_size=1)
    refused(await change(house, second, party_size=4), 409, "SEAT_NOT_AVAILABLE")
    assert len(await claims(owner, second)) == 3
    fewer = (await change(house, second, party_size=2)).json()
    assert len(await claims(owner, fewer)) == 2
    refused(await house.book(**counter, party_size=5), 400, "PARTY_TOO_LARGE")


async def test_stools_that_are_free_at_different_times_make_room_for_a_party(open_house: Open) -> None:
    house: House = await open_house(resources=HALL, policy={"slot_step_minutes": 15})
    counter = {"resource_ids": house.ids("counter"), "duration_minutes": 60}
    early = [await house.booked(**counter, party_size=2, start=at("18:00")) for _ in range(4)]
    for each in early[::2]:
        assert (await cancel(house, each)).status_code == 200
    late = [await house.booked(**counter, party_size=2, start=at("19:00")) for _ in range(2)]
    assert late
    wanted = {"resource_ids": house.ids("counter"), "start": at("18:00"), "duration_minutes": 120}
    await house.booked(**wanted, party_size=4)
    refused(await house.book(**wanted, party_size=1), 409, "SEAT_NOT_AVAILABLE")


async def test_a_visit_to_the_whole_leaves_cleaning_on_each_part(
    open_house: Open, owner: asyncpg.Connection
) -> None:
    after = [each | {"buffer_after_minutes": 30} for each in HALL]
    house: House = await open_house(resources=after, hours={})
    seated = await house.client.post(
        "/walk-ins",
        json={"venue_id": house.venue_id, "party_size": 30, "resource_ids": house.ids("hall")},
        headers=house.bob,
    )
    assert seated.status_code == 201, seated.text
    left = (await move(house, seated.json(), "COMPLETED")).json()
    assert {place for place, *_ in await claims(owner, left)} == {*house.ids("court-a", "court-b")}


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (("hall", "court-a"), "share Court A"),
        (("court-a", "counter"), "takes guests one by one"),
    ],
)
async def test_what_cannot_be_booked_together_is_refused(
    open_house: Open, ids: tuple[str, ...], problem: str
) -> None:
    house: House = await open_house(resources=HALL)
    answer = await house.book(resource_ids=house.ids(*ids), start=at("18:00"))
    assert problem in refused(answer, 400, "INVALID_REQUEST")["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"parts": ["nowhere"]}, "parts.0"),
        ({"parts": ["court-a", "court-a"]}, "parts.1"),
        ({"parts": ["hall"]}, "parts.0"),
        ({"parts": ["counter"], "units": 2}, "units"),
        ({"takes": "guests", "units": 50}, "takes"),
        ({"adjacent": ["court-a"]}, "adjacent"),
    ],
)
async def test_a_whole_that_cannot_be_is_refused(
    open_house: Open, changes: dict[str, Any], field: str
) -> None:
    house: House = await open_house(resources=HALL)
    body = changes | {"expected_version": 1}
    path = f"/resources/{house.resources['hall']}"
    answer = await house.client.patch(path, json=body, headers=house.alice)
    assert field in {each["field"] for each in refused(answer, 400, "INVALID_REQUEST")["errors"]}


async def test_four_levels_and_circles_are_refused(open_house: Open) -> None:
    house: House = await open_house(resources=HALL)
    chain = [{"slug": "a"}, *({"slug": new, "parts": [old]} for old, new in ("ab", "bc", "cd"))]
    circle = [{"slug": "a", "parts": ["b"]}, {"slug": "b", "parts": ["a"]}]
    for bad in (chain, circle):
        document = house.document | {"resources": bad}
        answer = await house.client.post("/venues/import", json=document, headers=house.alice)
        assert "levels" in refused(answer, 400, "INVALID_REQUEST")["detail"]
    document = house.document | {"slug": "other", "resources": chain[:3]}
    answer = await house.client.post("/venues/import", json=document, headers=house.alice)
    assert answer.status_code == 201, answer.text


async def test_what_is_booked_keeps_its_parts(open_house: Open) -> None:
    """Parts, units and what takes a unit change only while nobody relies on them; names and seats at any time."""
    house: House = await open_house(resources=HALL)
    booking = await house.booked(resource_ids=house.ids("hall"), party_size=20, start=at("18:00"))
    stool = await house.booked(resource_ids=house.ids("counter"), party_size=1, start=at("18:00"))

    async def patch(which: str, /, **changes: Any) -> httpx.Response:
        path = f"/resources/{house.resources[which]}"
        version = (await house.client.get(path)).json()["version"]
        body = changes | {"expected_version": version}
        return await house.client.patch(path, json=body, headers=house.alice)

    for slug, changes in (
        ("hall", {"parts": ["court-a"]}),
        ("hall", {"parts": []}),
        ("court-a", {"units": 2}),
        ("counter", {"takes": "party"}),
        ("counter", {"takes": "party", "units": 1, "parts": ["court-a"]}),
    ):
        answer = await patch(slug, **changes)
        assert "can't change" in refused(answer, 400, "INVALID_REQUEST")["detail"], (slug, changes)
    assert (await patch("court-b", slug="court-2", name="Court 2")).status_code == 200
    shown = (await house.client.get(f"/resources/{house.resources['hall']}")).json()
    assert shown["parts"] == ["court-a", "court-2"]
    for slug in ("hall", "court-b"):
        path = f"/resources/{house.resources[slug]}"
        version = (await house.client.get(path)).json()["version"]
        gone = await house.client.delete(f"{path}?expected_version={version}", headers=house.alice)
        refused(gone, 400, "INVALID_REQUEST")
    for each in (booking, stool):
        assert (await cancel(house, await read(house, each))).status_code == 200
    assert (await patch("hall", parts=["court-a"])).status_code == 200
    assert (await patch("counter", takes="party")).status_code == 200


async def test_the_picture_of_the_whole_follows_its_parts(open_house: Open) -> None:
    house: House = await open_house(resources=HALL)
    tenant, venue = house.tenant, house.venue["slug"]
    path = f"/clubs/{tenant}/venues/{venue}/availability"

    async def states() -> dict[str, tuple[str, int]]:
        seen = await house.client.get(path, params={"date": str(DAY)}, headers=house.bob)
        return {each["name"]: (each["state"], each["unitsFree"]) for each in seen.json()["sections"]}

    free = {"Court A": ("available", 1), "Court B": ("available", 1), "Hall": ("available", 1)}
    assert await states() == free | {"Counter": ("available", 8)}
    court = await house.booked(resource_ids=house.ids("court-a"), start=at("12:00"))
    assert (await states())["Hall"] == ("confirmed", 0)
    assert (await states())["Court B"] == ("available", 1)
    stools = await house.booked(resource_ids=house.ids("counter"), party_size=3, start=at("12:00"))
    assert (await states())["Counter"] == ("available", 5)
    for each in (court, stools):
        await cancel(house, each)
    await house.booked(resource_ids=house.ids("hall"), party_size=20, start=at("12:00"), hold=True)
    assert {name: state for name, (state, _) in (await states()).items()} == {
        "Court A": "held",
        "Court B": "held",
        "Hall": "held",
        "Counter": "available",
    }
    closed = await block(house, "hall", start=at("20:00"), end=at("21:00"), on_conflict="refuse")
    assert closed.status_code == 201
    assert {name: state for name, (state, _) in (await states()).items()} == {
        "Court A": "blocked",
        "Court B": "blocked",
        "Hall": "blocked",
        "Counter": "available",
    }
