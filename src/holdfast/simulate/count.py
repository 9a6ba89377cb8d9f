"""Counts what is given away, from the bookings and the venues' documents alone: units, extras, uses of codes, guests.

Shares no code with the ledger and the rules, so that it does not share their mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.simulate.add_up import wrong_price
from holdfast.simulate.clock import WINDOW
from holdfast.simulate.record import Record

OCCUPYING: Final = (
    "HELD",
    "PENDING",
    "ASSIGNMENT_IN_PROGRESS",
    "PENDING_APPROVAL",
    "RESERVED",
    "CONFIRMED",
    "CHECKED_IN",
)
BLURRED: Final = WINDOW + timedelta(minutes=1)
"""By how much the instants of two processes can differ; some are rounded to the minute."""
HALF_A_DAY: Final = timedelta(hours=12)

Taking = tuple[datetime, datetime, int]
"""Something is taken from then until then, and how much."""

BOOKINGS = """
    SELECT b.*, (SELECT array_agg(resource_id) FROM claim
                  WHERE claim.tenant_id = b.tenant_id AND owner_id = b.id AND owner_kind = 'unbound') AS promised_ids,
           EXISTS (SELECT FROM booking_history AS step WHERE step.tenant_id = b.tenant_id
                      AND step.booking_id = b.id AND to_status = 'MANUAL_REVIEW') AS was_displaced
      FROM booking AS b
     WHERE b.tenant_id = $1 AND b.venue_id = $2
"""
BLOCKED = """
    SELECT resource_id, lower(during) AS start_at, upper(during) AS end_at, count(*) AS units
      FROM claim WHERE tenant_id = $1 AND owner_kind = 'block'
     GROUP BY owner_id, resource_id, during
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """A venue to count at. `said`: its document; `ids`: of its resources, by slug; `now`: the latest time of all."""

    said: Mapping[str, Any]
    tenant_id: UUID
    venue_id: UUID
    ids: Mapping[str, UUID]
    now: datetime


async def count(tx: Tx, at: Counted, record: Record) -> None:
    """Records what the venue has given away too often. Nothing else runs meanwhile."""
    rows = await tx.fetch(BOOKINGS, at.tenant_id, at.venue_id)
    blocked = await tx.fetch(BLOCKED, at.tenant_id)
    found = [*_units(at, rows, blocked), *_extras(at, rows), *_codes(at, rows), *_arrivals(at, rows)]
    found += [said for row in rows for said in wrong_price(at.said["policy"], row)]
    for said in found:
        record.found_wrong(f"{at.said['name']}: {said}")


def most(takings: Iterable[Taking]) -> tuple[int, datetime | None]:
    """Returns the most that is taken at one instant, and the first such instant."""
    changes = sorted(
        change for start, end, much in takings if start < end for change in ((start, much), (end, -much))
    )
    highest, since, taken = 0, None, 0
    for at, change in changes:  # at one instant, what ends comes first: it is negative
        taken += change
        if taken > highest:
            highest, since = taken, at
    return highest, since


def _units(at: Counted, rows: Sequence[asyncpg.Record], blocked: Sequence[asyncpg.Record]) -> Iterator[str]:
    """Yields the places of which more units are taken at once than there are, by bookings of them, of wholes that
    contain them, and of a type; a promise counts where its claim is now."""
    resources = {each["slug"]: each for each in at.said["resources"]}
    slugs = {id_: slug for slug, id_ in at.ids.items()}
    taken: dict[str, list[Taking]] = {slug: [] for slug in resources}
    for row in rows:
        span = _there(row)
        if span is None:
            continue
        places = list(_places(row))
        if not places:
            yield f"Booking {row['id']} occupies nothing, and nothing is kept for it."
        for id_, party_size, preferences in places:
            slug = slugs[id_]
            yield from _mistyped(row, preferences, resources[slug])
            for leaf, units in _needed(resources, slug, party_size):
                taken[leaf].append((*span, units))
    for row in blocked:
        if (slug := slugs.get(plain_id(row["resource_id"]))) is not None:
            taken[slug].append((max(row["start_at"], at.now), row["end_at"], row["units"]))
    for slug, takings in taken.items():
        units, since = most(takings)
        if units > resources[slug].get("units", 1):
            yield f"{units} units of {slug} are taken at {since}."


def _places(row: asyncpg.Record) -> Iterator[tuple[UUID, int, Mapping[str, Any]]]:
    """Yields what the booking has, or each item of an order: the resource, the guests, and what was asked for."""
    for item in orjson.loads(row["items"]):
        if not item["is_cancelled"]:
            for each in item["resource_ids"]:
                yield UUID(each), item["party_size"], item["preferences"]["as_json"]
    if row["items"] == "[]":
        for each in row["resource_ids"] or row["promised_ids"] or ():
            yield plain_id(each), row["party_size"], orjson.loads(row["preferences"])


def _there(row: asyncpg.Record) -> tuple[datetime, datetime] | None:
    """Returns from when until when the booking has its place; None if it has none."""
    if row["status"] in OCCUPYING:
        return row["start_at"], row["end_at"]
    if row["status"] == "COMPLETED":
        return row["start_at"], min(row["end_at"], row["completed_at"]) - BLURRED
    return None


def _needed(resources: Mapping[str, Any], slug: str, party_size: int) -> Iterator[tuple[str, int]]:
    """Yields what a booking takes: units of the place or, of a whole, all units of the last parts of its parts."""
    said = resources[slug]
    if not said.get("parts"):
        yield slug, party_size if said.get("takes") == "guests" else 1
        return
    leaves = {leaf for part in said["parts"] for leaf, _ in _needed(resources, part, 0)}
    yield from ((leaf, resources[leaf].get("units", 1)) for leaf in sorted(leaves))


def _mistyped(row: asyncpg.Record, preferences: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[str]:
    group = preferences.get("group")
    if group is not None and said.get("group") != group:
        yield f"Booking {row['id']} is for {group} and is on {said['slug']}."


def _counts(at: Counted, row: asyncpg.Record) -> bool:
    """Whether the booking has what it has taken for sure: its hold is not over, whoever looks."""
    return row["status"] in OCCUPYING and (row["expires_at"] is None or row["expires_at"] > at.now + BLURRED)


def _extras(at: Counted, rows: Sequence[asyncpg.Record]) -> Iterator[str]:
    for extra in at.said["policy"].get("extras", ()):
        takings = [
            (row["start_at"], row["end_at"], each["quantity"])
            for row in rows
            if _counts(at, row)
            for each in orjson.loads(row["extras"])
            if each["id"] == extra["id"]
        ]
        units, since = most(takings)
        if "stock" in extra and units > extra["stock"]:
            yield f"{units} of {extra['stock']} {extra['id']} are taken at {since}."


def _codes(at: Counted, rows: Sequence[asyncpg.Record]) -> Iterator[str]:
    for discount in at.said["policy"].get("discounts", ()):
        using = [row for row in rows if row["discount_code"] == discount["code"]]
        kept = [row for row in using if row["status"] not in ("CANCELLED", "EXPIRED")]
        uses = sum(row["expires_at"] is None or row["expires_at"] > at.now + BLURRED for row in kept)
        if "uses_max" in discount and uses > discount["uses_max"]:
            yield f"{uses} bookings use {discount['code']}, which {discount['uses_max']} may."


def _arrivals(at: Counted, rows: Sequence[asyncpg.Record]) -> Iterator[str]:
    """Yields sittings of more guests than a rule allows, without those for whom rules were overruled, who walked in, or
    who lost their place to a block: these are not bound."""
    bound = [
        row
        for row in rows
        if _counts(at, row)
        and orjson.loads(row["overrides"]) == []
        and row["source"] != "walk_in"
        and not row["was_displaced"]
    ]
    for rule in at.said["policy"].get("pacing", ()):
        for slot in rule.get("slots", ()):
            sittings: dict[datetime, int] = {}
            for row in bound:
                if row["slot_id"] == slot:
                    night = row["local_start"] - HALF_A_DAY
                    day = night.replace(hour=0, minute=0, second=0, microsecond=0)
                    sittings[day] = sittings.get(day, 0) + row["party_size"]
            for day, guests in sittings.items():
                if guests > rule["covers_max"]:
                    yield f"{guests} guests come to {slot} on {day.date()}, where {rule['covers_max']} may."
