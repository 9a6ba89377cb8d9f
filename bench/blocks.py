"""Recurring blocks: expanding many of them, and creating a large one over HTTP."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson
from dateutil.rrule import rrulestr

from bench.stand import Stand, VenueAtHand
from holdfast.block.expand import blocked_intervals
from holdfast.block.model import Block
from holdfast.kernel.ids import new_id
from holdfast.place.opening.recurrence import expansion

RESOURCES = 1_000
MONTHS_DAYS = 92
EXPAND_MS_MAX = 100.0
CREATE_RESOURCES = 8
CREATE_DAYS = 730
CREATE_S_MAX = 1.0
ROUNDS = 5
ZONE = ZoneInfo("Europe/Stockholm")
RULE = "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=300"


def expand() -> dict[str, Any]:
    """Returns the milliseconds to expand RESOURCES blocks over three months, each with one resource.

    `one_rule`: they share a rule, which is expanded first; `one_rule_again`: with its expansion cached.
    `rules_of_their_own`: all rules differ, none is cached. `naive`: dateutil for each resource.
    """
    alike, unlike = _blocks(minutes_apart=0), _blocks(minutes_apart=1)
    figures = {
        "one_rule_ms": _best(lambda: _expand(alike), cold=True),
        "one_rule_again_ms": _best(lambda: _expand(alike), cold=False),
        "rules_of_their_own_ms": _best(lambda: _expand(unlike), cold=True),
        "naive_ms": _best(lambda: _naive(alike), cold=True),
    }
    return {
        **{name: round(ms, 2) for name, ms in figures.items()},
        "intervals": sum(map(len, _expand(alike).values())),
        "ratio": round(figures["naive_ms"] / figures["one_rule_ms"], 1),
        "ok": figures["one_rule_ms"] < EXPAND_MS_MAX,
    }


def _blocks(*, minutes_apart: int) -> list[Block]:
    tenant_id, venue_id, made_at = new_id(), new_id(), datetime(2027, 1, 1, tzinfo=UTC)
    start = datetime(2027, 1, 4, 6)  # noqa: DTZ001 - wall time
    return [
        Block(
            tenant_id=tenant_id,
            id=new_id(),
            venue_id=venue_id,
            kind="maintenance",
            reason="cleaning",
            resource_ids=(new_id(),),
            local_start=start + timedelta(minutes=n * minutes_apart),
            local_end=start + timedelta(minutes=n * minutes_apart, hours=2),
            timezone=ZONE.key,
            rrule=RULE,
            created_by="system",
            first_at=made_at,
            last_at=made_at + timedelta(days=720),
            created_at=made_at,
            updated_at=made_at,
        )
        for n in range(RESOURCES)
    ]


def _range() -> tuple[datetime, datetime]:
    start = datetime(2027, 2, 1, tzinfo=UTC)
    return start, start + timedelta(days=MONTHS_DAYS)


def _expand(blocks: list[Block]) -> dict[UUID, Any]:
    return blocked_intervals(blocks, [each.resource_ids[0] for each in blocks], *_range())


def _naive(blocks: list[Block]) -> list[list[tuple[datetime, datetime]]]:
    first, last = (each.astimezone(ZONE).replace(tzinfo=None) for each in _range())
    return [
        [
            (
                wall.replace(tzinfo=ZONE).astimezone(UTC),
                (wall + (block.local_end - block.local_start)).replace(tzinfo=ZONE).astimezone(UTC),
            )
            for wall in rrulestr(block.rrule or "", dtstart=block.local_start).between(first, last)
        ]
        for block in blocks
    ]


def _best(work: Callable[[], Any], *, cold: bool) -> float:
    """Returns the median of ROUNDS, in milliseconds."""
    found: list[float] = []
    for _ in range(ROUNDS):
        if cold:
            expansion.cache_clear()
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return median(found)


async def create(made: Stand, port: int) -> dict[str, Any]:
    """Returns the seconds to create a daily block for two years on CREATE_RESOURCES resources over HTTP, and for the
    bare database to insert the same claims in one transaction: the medians of ROUNDS."""
    connection = await asyncpg.connect(made.server.url())
    http, bare = list[float](), list[float]()
    try:
        for venue in made.venues[: ROUNDS + 1]:
            began = time.perf_counter()
            block = await asyncio.to_thread(_post, port, venue)
            http.append(time.perf_counter() - began)
            bare.append(await _insert(connection, venue, block["id"]))
    finally:
        await connection.close()
    # The first of each opens connections and plans statements.
    seconds, floor = median(http[1:]), median(bare[1:])
    return {
        "claims": CREATE_RESOURCES * CREATE_DAYS,
        "seconds": round(seconds, 3),
        "bare_insert_seconds": round(floor, 3),
        "ratio": round(seconds / floor, 2),
        "ok": seconds < CREATE_S_MAX,
    }


def _post(port: int, venue: VenueAtHand) -> dict[str, Any]:
    day = datetime.now(ZONE).date() + timedelta(days=1)
    body = {
        "venue_id": venue.id,
        "resource_ids": venue.resource_ids[:CREATE_RESOURCES],
        "start": _at(day, 3),
        "end": _at(day, 5),
        "reason": "cleaning",
        "rrule": f"FREQ=DAILY;COUNT={CREATE_DAYS}",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/chain/maintenance-blocks",
        data=orjson.dumps(body),
        headers={"authorization": f"Bearer {venue.token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return orjson.loads(response.read())


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)


# The same units and spans, on other resources of the same venue.
INSERT = """
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, state, changed_by)
    SELECT claim.tenant_id, other.id, unit, during, 'block', $3, state, changed_by
      FROM claim
      JOIN unnest($2::uuid[], $4::uuid[]) AS other (of_id, id) ON other.of_id = claim.resource_id
     WHERE claim.owner_id = $1
"""


async def _insert(connection: asyncpg.Connection, venue: VenueAtHand, block_id: str) -> float:
    ids = venue.resource_ids
    others = ids[CREATE_RESOURCES : 2 * CREATE_RESOURCES]
    began = time.perf_counter()
    done = await connection.execute(INSERT, UUID(block_id), ids[:CREATE_RESOURCES], new_id(), others)
    assert done == f"INSERT 0 {CREATE_RESOURCES * CREATE_DAYS}", done
    return time.perf_counter() - began
