"""Cancellations over HTTP and four workers, some of them killed: each place goes to the entry that has waited longest,
once, and nobody is skipped. An independent oracle checks the events in order."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.kernel.embedded import Server
from tests.processes import until
from tests.wire import book, cancel, post

from .crew import Crew, crew_on
from .oracle import World
from .sittings import Full, Json, full_house, place_of

SEED = int(os.environ.get("HOLDFAST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
TRIES_MAX = 5
TIME_GOES_BY = """
    WITH entry AS (
        UPDATE waitlist_entry SET offer_expires_at = now() WHERE id = ANY ($1::text[]::uuid[]) RETURNING booking_id),
    booking AS (
        UPDATE booking SET expires_at = now(), due_at = now() FROM entry WHERE id = booking_id RETURNING id)
    UPDATE claim SET expires_at = now() FROM booking WHERE owner_id = id
"""


@pytest.fixture(scope="module")
async def crew(server: Server, data_dir: Path) -> AsyncIterator[Crew]:
    print(f"HOLDFAST_SEED={SEED}")
    async with crew_on(server, data_dir) as crew:
        yield crew


async def cancel_all(full: Full) -> int:
    """Cancels in random order, as fast as possible. Returns how many responses were 503, each of which is retried."""
    requests = [cancel(each, token=full.token, key=f"cancel {each['id']}") for each in full.bookings]
    full.dice.shuffle(requests)
    refused = 0
    for _ in range(TRIES_MAX):
        answers = await full.crew.ask(requests)
        assert {answer.status for answer in answers} <= {200, 503}
        requests = [each for each, got in zip(requests, answers, strict=True) if got.status == 503]
        refused += len(requests)
        if not requests:
            return refused
    raise AssertionError(f"{len(requests)} could not cancel")


async def agreed(full: Full) -> World:
    """Checks that the events are in order, that nobody was skipped, and that the API agrees with the events."""
    world = await full.world()
    assert world.skipped(full.sittings) == []
    entries = await full.entries()
    for entry in entries:
        if entry["status"] == "OFFERED":
            assert world.taken[place_of(entry)] == entry["booking_id"]
    waiting = {each["id"] for each in entries if each["status"] == "WAITING"}
    assert waiting == set(world.waiting)
    return world


async def nobody_else_gets_it(full: Full, offered: list[Json]) -> None:
    """What is offered is taken for anybody who asks for it, and the refusal doesn't mention the waitlist."""
    requests = [
        book(
            full.house,
            token=full.token,
            start=each["offer"]["start"],
            end=each["offer"]["end"],
            resource_ids=each["offer"]["resource_ids"],
            party_size=each["party_size"],
        )
        for each in offered
    ]
    answers = await full.crew.ask(requests)
    taken = {(409, f"{kind}_NOT_AVAILABLE") for kind in ("TABLE", "LANE", "ROOM")}
    assert {(each.status, each.json()["code"]) for each in answers} <= taken


async def many(
    crew: Crew,
    *,
    tables: int,
    days: int,
    entries: int,
    kills: int,
    pause_s_max: float,
    within_s: float,
) -> int:
    """Runs all of it. Returns the number of jobs taken over from killed workers."""
    dice = random.Random(SEED)
    full = await full_house(crew, dice, tables=tables, days=days, offer_ttl_seconds=3600)
    await full.queue([full.any_entry() for _ in range(entries)])
    await crew.settled(within_s=within_s)
    assert await full.entries("OFFERED") == [], "all was taken"
    started = time.monotonic()
    killing = asyncio.create_task(crew.kill_some(dice, kills, pause_s_max=pause_s_max))
    refused = await cancel_all(full)
    cancelled = time.monotonic()
    await killing
    await crew.settled(within_s=within_s)
    settled = time.monotonic()
    world = await agreed(full)
    offered = await full.entries("OFFERED")
    assert len(offered) == world.offers > len(full.places) / 2
    await nobody_else_gets_it(full, offered)
    waits, taken_over = await full.waits_s(), sum(crew.kills[-kills:] if kills else ())
    print(
        f"{len(full.places)} cancelled in {cancelled - started:.1f} s ({refused} asked again),"
        f" settled {settled - cancelled:.1f} s later; {world.offers} offers, {len(world.waiting)} wait on;"
        f" {kills} kills, jobs in hand {crew.kills[-kills:]}, {taken_over} taken over; from"
        f" cancellation to offer p50 {quantile(waits, 0.5):.2f} s, p95 {quantile(waits, 0.95):.2f} s,"
        f" longest {waits[-1]:.2f} s"
    )
    await crew.audited()
    return taken_over


def quantile(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


async def test_150_cancellations_and_two_kills(crew: Crew) -> None:
    await many(crew, tables=15, days=2, entries=200, kills=2, pause_s_max=1, within_s=300)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_1000_cancellations_and_eight_kills(crew: Crew) -> None:
    assert await many(crew, tables=100, days=2, entries=1_500, kills=8, pause_s_max=5, within_s=600) > 0


async def test_offers_are_taken_given_back_or_lapse_and_the_next_has_its_turn(crew: Crew) -> None:
    dice = random.Random(SEED)
    full = await full_house(crew, dice, tables=5, days=1, offer_ttl_seconds=3600)
    await full.queue([full.any_entry() for _ in range(80)])
    await crew.settled()
    await cancel_all(full)
    await crew.settled()
    offered = await full.entries("OFFERED")
    assert len(offered) > len(full.places) / 2
    accepted, declined, ignored = offered[0::3], offered[1::3], offered[2::3]
    await answer_all(full, accepted, "accept")
    await answer_all(full, declined, "decline")
    await crew.owner.execute(TIME_GOES_BY, ids(ignored))

    async def have_lapsed() -> bool:
        return len(await full.entries("LAPSED")) == len(ignored)

    await until(have_lapsed)
    await crew.settled()
    world = await agreed(full)
    assert ids(await full.entries("ACCEPTED")) == ids(accepted)
    assert ids(await full.entries("DECLINED")) == ids(declined)
    assert ids(await full.entries("LAPSED")) == ids(ignored)
    following = await full.entries("OFFERED")
    assert len(following) == world.offers - len(offered)
    theirs = {place_of(each) for each in following}
    assert theirs & {place_of(each) for each in declined}, "nobody came after who declined"
    assert theirs & {place_of(each) for each in ignored}, "nobody came after whose time went by"
    assert not theirs & {place_of(each) for each in accepted}
    await nobody_else_gets_it(full, following)
    await crew.audited()


async def answer_all(full: Full, entries: list[Json], how: str) -> None:
    requests = [post(f"/waitlist/{each['id']}/{how}", {}, token=full.token) for each in entries]
    answers = await full.crew.ask(requests)
    assert [answer.status for answer in answers] == [200] * len(entries)


def ids(entries: list[Json]) -> set[str]:
    return {each["id"] for each in entries}
