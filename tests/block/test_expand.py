"""A block's claims are exactly its expansion, for every rule."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from holdfast.block.expand import blocked_intervals, claims_of, get_blocked_intervals, occurrences_of
from holdfast.block.model import Block
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import instant_of, to_wall
from tests.block.asking import ALLEY, RULES, blocked, change, intervals, remove
from tests.conftest import House

wall = datetime.fromisoformat
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
LANE, OTHER = new_id(), new_id()


def made(**changes: Any) -> Block:
    """A block of LANE, daily from 9 to 17 in Stockholm from 1 March 2027 on, created on that day at 13:00."""
    fields: dict[str, Any] = {
        "tenant_id": new_id(),
        "id": new_id(),
        "venue_id": new_id(),
        "kind": "maintenance",
        "reason": "resurfacing",
        "resource_ids": (LANE,),
        "local_start": wall("2027-03-01T09:00"),
        "local_end": wall("2027-03-01T17:00"),
        "timezone": "Europe/Stockholm",
        "rrule": "FREQ=DAILY;COUNT=5",
        "created_by": "staff:alice",
        "first_at": NOW,
        "last_at": NOW + timedelta(days=5),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Block(**fields | changes)


def days(block: Block) -> list[int]:
    return [each.on.day for each in occurrences_of(block)]


def test_what_was_over_when_it_was_made_never_was() -> None:
    assert days(made(created_at=datetime(2027, 3, 2, 15, 59, tzinfo=UTC))) == [2, 3, 4, 5]
    assert days(made(created_at=datetime(2027, 3, 2, 16, tzinfo=UTC))) == [3, 4, 5]


def test_an_end_takes_what_is_on_or_after_it() -> None:
    assert days(made(cancelled_from=date(2027, 3, 3))) == [1, 2]
    assert days(made(cancelled_from=date(2027, 2, 1))) == []
    assert days(made(cancelled_from=date(2028, 1, 1))) == [1, 2, 3, 4, 5]


def test_removal_takes_what_was_not_over() -> None:
    assert days(made(removed_at=datetime(2027, 3, 3, 15, 59, tzinfo=UTC))) == [1, 2]
    assert days(made(removed_at=datetime(2027, 3, 3, 16, tzinfo=UTC))) == [1, 2, 3]


def test_a_range_gets_what_shares_time_with_it() -> None:
    block, start = made(), datetime(2027, 3, 2, 16, tzinfo=UTC)  # the second one ends
    found = get_blocked_intervals([block], LANE, start, start + timedelta(hours=16))
    assert found == []
    found = get_blocked_intervals([block], LANE, start - timedelta(minutes=1), start + timedelta(hours=17))
    assert [(each.span.start.day, each.block_id) for each in found] == [(2, block.id), (3, block.id)]


def test_resources_are_told_apart_and_blocks_are_put_in_order() -> None:
    first = made(resource_ids=(LANE, OTHER))
    evening = {"local_start": wall("2027-03-01T18:00"), "local_end": wall("2027-03-01T19:00")}
    second = made(**evening, rrule=None)
    found = blocked_intervals([second, first], [LANE, OTHER, UUID(int=0)], NOW, NOW + timedelta(days=1))
    assert [each.block_id for each in found[LANE]] == [first.id, second.id, first.id]
    assert [each.block_id for each in found[OTHER]] == [first.id, first.id]
    assert found[UUID(int=0)] == []


@given(
    st.integers(0, 10 * 24),
    st.integers(0, 10 * 24),
    st.none() | st.dates(date(2027, 2, 26), date(2027, 3, 8)),
    st.none() | st.integers(0, 8 * 24),
)
def test_a_range_is_a_part_of_the_whole(
    first: int, last: int, cancelled_from: date | None, removed_h: int | None
) -> None:
    removed_at = None if removed_h is None else NOW + timedelta(hours=removed_h)
    block = made(cancelled_from=cancelled_from, removed_at=removed_at)
    within = Span(NOW + timedelta(hours=first - 48), NOW + timedelta(hours=last - 48))
    whole = [each for each in occurrences_of(block) if each.span.overlaps(within)]
    assert list(occurrences_of(block, within)) == (whole if within.start < within.end else [])


ZONES = ("Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland")
HELD = """
    SELECT resource_id, unit, lower(during) AS start_at, upper(during) AS end_at
      FROM claim WHERE owner_id = $1::text::uuid
"""


def a_rule(random_: random.Random) -> str:
    freq = random_.choice(["DAILY", "WEEKLY", "MONTHLY"])
    parts = [f"FREQ={freq}", f"INTERVAL={random_.randint(1, 3)}"]
    if freq == "WEEKLY" and random_.random() < 0.7:
        chosen = random_.sample(["MO", "TU", "WE", "TH", "FR", "SA", "SU"], random_.randint(1, 5))
        parts.append(f"BYDAY={','.join(chosen)}")
    return ";".join([*parts, f"COUNT={random_.randint(1, {'DAILY': 150, 'WEEKLY': 60, 'MONTHLY': 8}[freq])}"])


@pytest.mark.parametrize("seed", range(12))
async def test_the_claims_are_the_expansion(
    open_house: Callable[..., Any], database_url: str, seed: int
) -> None:
    """The occurrences by dateutil, in wall time: from the current one on, and only until the block was ended."""
    random_ = random.Random(seed)
    zone = ZoneInfo(random_.choice(ZONES))
    section = {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 3}
    house = await open_house(resources=[*ALLEY[:2], section], policy=RULES, timezone=zone.key)
    # Whole hours, so that now is never near an end. Some start in the past.
    begin = to_wall(datetime.now(UTC), zone).replace(minute=0, second=0, microsecond=0)
    start = begin + timedelta(days=random_.randint(-20, 10), hours=random_.randint(0, 23), minutes=30)
    length, rule = timedelta(minutes=random_.choice([30, 90, 8 * 60])), a_rule(random_)
    block = await blocked(
        house,
        "l1",
        "s1",
        start=instant_of(start, zone).isoformat(),
        end=instant_of(start + length, zone).isoformat(),
        rrule=rule,
    )
    created_at = datetime.fromisoformat(block["created_at"])
    # The request has instants, but the block is stored in wall time.
    begins = to_wall(instant_of(start, zone), zone)
    length = to_wall(instant_of(start + length, zone), zone) - begins
    walls = list(rrulestr(rule, dtstart=begins))
    spans = {
        (on.date(), (instant_of(on, zone), instant_of(on + length, zone)))
        for on in walls
        if instant_of(on + length, zone) > created_at
    }
    spans = {(on, span) for on, span in spans if span[0] < span[1]}
    await _is_held(house, database_url, block, [span for _, span in spans])
    end = sorted(spans)[len(spans) // 2][0]
    changed = await change(house, block, cancelled_from=end.isoformat())
    await _is_held(house, database_url, block, [span for on, span in spans if on < end])
    if changed.json()["removed_at"] is None:
        assert (await remove(house, changed.json())).status_code == 204
    now = datetime.now(UTC)
    await _is_held(house, database_url, block, [span for on, span in spans if on < end and span[1] <= now])


async def _is_held(house: House, database_url: str, block: dict[str, Any], spans: list[Any]) -> None:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(HELD, block["id"])
    await connection.close()
    units = [(house.resources["l1"], 1), *((house.resources["s1"], unit) for unit in (1, 2, 3))]
    assert sorted(
        (str(row["resource_id"]), row["unit"], row["start_at"], row["end_at"]) for row in rows
    ) == sorted((resource, unit, *span) for resource, unit in units for span in spans)
    first, last = datetime.now(UTC) - timedelta(days=40), datetime.now(UTC) + timedelta(days=600)
    shown = await intervals(house, "s1", first.isoformat(), last.isoformat())
    expanded = [(wall(each["start"]), wall(each["end"])) for each in shown]
    assert expanded == sorted(span for span in spans if span[0] < last)
    assert all(one[1] <= other[0] for one, other in pairwise(expanded))


def test_claims_say_whose_they_are() -> None:
    assert claims_of(made(), []) == []
