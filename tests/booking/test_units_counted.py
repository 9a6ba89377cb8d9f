"""Whatever happens, who asks is refused only when at some instant no unit is left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.identity.issuer import DevIssuer
from tests.block.asking import block, remove
from tests.conftest import House, open_house_at

from .asking import at, cancel, change, instant, move, read
from .units import Served, day, floor
from .units import served as served
from .units import sound as sound

STEP = timedelta(minutes=15)
OPENS, STEPS_A_DAY, LENGTH_MAX = "10:00", 52, 8


Steps = tuple[int, int]
"""From one step of the day to another."""


@dataclass
class Counting:
    """How many are there at each step of the day: all that anybody has to know."""

    units: int
    taken: dict[str, Steps] = field(default_factory=dict)
    displaced: dict[str, Steps] = field(default_factory=dict)
    blocks: dict[str, Steps] = field(default_factory=dict)

    def meeting(self, among: dict[str, Steps], when: Steps) -> list[str]:
        return [each for each, (start, end) in among.items() if start < when[1] and when[0] < end]

    def taken_at(self, step: int, *, but: str | None = None) -> int:
        return sum(start <= step < end for id_, (start, end) in self.taken.items() if id_ != but)

    def has_room(self, when: Steps, *, but: str | None = None) -> bool:
        return not self.meeting(self.blocks, when) and all(
            self.taken_at(step, but=but) < self.units for step in range(*when)
        )


def span_of(when: Steps) -> dict[str, str]:
    start, end = (instant(OPENS) + STEP * each for each in when)
    return {"start": start.isoformat(), "end": end.isoformat()}


times = st.builds(
    lambda start, length: (min(start, STEPS_A_DAY - length), min(start, STEPS_A_DAY - length) + length),
    st.integers(0, 14),
    st.integers(1, LENGTH_MAX),
)
kinds = st.sampled_from(
    ["book"] * 9 + ["set", "change", "change", "cancel", "cancel", "block", "unblock", "back", "resize"]
)
steps = st.lists(st.tuples(kinds, times, st.integers(0, 50)), min_size=25, max_size=50)


@settings(max_examples=20)
@given(units=st.integers(1, 6), buffer=st.sampled_from([0, 15]), script=steps)
async def test_it_is_accepted_if_the_count_allows(
    served: Served, issuer: DevIssuer, units: int, buffer: int, script: list[tuple[str, Steps, int]]
) -> None:
    """A buffer of a step makes the claim a step longer than the booking."""
    house = await open_house_at(served[1], issuer, resources=[floor(units, buffer_after_minutes=buffer)])
    run = Script(house, Counting(units), longer=buffer // 15)
    for kind, when, pick in script:
        await getattr(run, kind)(when, pick)
    await run.look()


@dataclass
class Script:
    """Each step is done for real, and must come to what counting says."""

    house: House
    oracle: Counting
    longer: int
    version: int = 1
    bookings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def claimed(self, when: Steps) -> Steps:
        return when[0], when[1] + self.longer

    def wanted(self, when: Steps) -> dict[str, Any]:
        return {"resource_ids": self.house.ids("floor"), **span_of(when)}

    def settle(self, response: httpx.Response, ok: bool, when: Steps) -> dict[str, Any] | None:
        assert response.status_code in ((200, 201) if ok else (409,)), (ok, response.text)
        if not ok:
            return None
        booking = response.json()
        self.bookings[booking["id"]] = booking
        self.oracle.taken[booking["id"]] = self.claimed(when)
        return booking

    async def book(self, when: Steps, pick: int) -> None:
        ok = self.oracle.has_room(self.claimed(when))
        body = {"venue_id": self.house.venue_id, "party_size": 2, **self.wanted(when)}
        seen = await self.house.client.post("/bookings/availability/check", json=body)
        assert seen.json()["available"] is ok
        self.settle(await self.house.book(**self.wanted(when)), ok, when)

    async def set(self, when: Steps, pick: int) -> None:
        """Several at once, of which as many win as there is room for."""
        answers = await asyncio.gather(*(self.house.book(**self.wanted(when)) for _ in range(1 + pick % 4)))
        for each in sorted(answers, key=lambda each: each.status_code):
            self.settle(each, self.oracle.has_room(self.claimed(when)), when)

    async def change(self, when: Steps, pick: int) -> None:
        if id_ := self.one_of(self.oracle.taken, pick):
            ok = self.oracle.has_room(self.claimed(when), but=id_)
            self.settle(await change(self.house, self.bookings[id_], **span_of(when)), ok, when)

    async def cancel(self, when: Steps, pick: int) -> None:
        if id_ := self.one_of(self.oracle.taken, pick):
            assert (await cancel(self.house, self.bookings[id_])).status_code == 200
            del self.oracle.taken[id_]

    async def block(self, when: Steps, pick: int) -> None:
        """Every other one displaces what is there."""
        met = self.oracle.meeting(self.oracle.taken, when)
        ok = not self.oracle.meeting(self.oracle.blocks, when) and (pick % 2 == 0 or not met)
        how = "displace" if pick % 2 == 0 else "refuse"
        made = await block(self.house, "floor", on_conflict=how, **span_of(when))
        assert made.status_code == (201 if ok else 409), made.text
        if ok:
            self.oracle.blocks[made.json()["id"]] = when
            self.bookings[made.json()["id"]] = made.json()
            for id_ in met:
                self.oracle.displaced[id_] = self.oracle.taken.pop(id_)

    async def unblock(self, when: Steps, pick: int) -> None:
        if id_ := self.one_of(self.oracle.blocks, pick):
            assert (await remove(self.house, self.bookings[id_])).status_code in (200, 204)
            del self.oracle.blocks[id_]

    async def back(self, when: Steps, pick: int) -> None:
        """One that lost its place gets one again."""
        if id_ := self.one_of(self.oracle.displaced, pick):
            claimed = self.oracle.displaced[id_]
            ok = self.oracle.has_room(claimed)
            moved = await move(self.house, await read(self.house, self.bookings[id_]), "CONFIRMED")
            if self.settle(moved, ok, (claimed[0], claimed[1] - self.longer)):
                del self.oracle.displaced[id_]

    async def resize(self, when: Steps, pick: int) -> None:
        """Fewer units, if no more are taken at once; a block takes all there are, and those that come."""
        units, oracle = 1 + pick % 6, self.oracle
        most = max((oracle.taken_at(step) for step in range(STEPS_A_DAY + 1)), default=0)
        ok = units >= (oracle.units if oracle.blocks else most)
        path, body = f"/resources/{self.house.resources['floor']}", {"units": units}
        version = {"expected_version": self.version}
        done = await self.house.client.patch(path, json=body | version, headers=self.house.alice)
        assert done.status_code == (200 if ok else 400), (ok, done.text)
        if ok and units != oracle.units:
            self.version, oracle.units = self.version + 1, units

    async def look(self) -> None:
        """The day view shows what the count allows, and no more."""
        for length in (1, 5, LENGTH_MAX):
            starts = range(STEPS_A_DAY - length + 1)
            free = [n for n in starts if self.oracle.has_room(self.claimed((n, n + length)))]
            shown = await day(self.house, minutes=15 * length)
            assert shown == {at_step(n) for n in free}

    @staticmethod
    def one_of(among: dict[str, Steps], pick: int) -> str | None:
        return list(among)[pick % len(among)] if among else None


def at_step(step: int) -> str:
    hour, minute = divmod(10 * 60 + 15 * step, 60)
    return at(f"{hour:02}:{minute:02}")
