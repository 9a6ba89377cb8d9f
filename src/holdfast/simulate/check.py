"""Compares the acknowledged outcomes with the database, while nothing else runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.simulate.count import Counted, count
from holdfast.simulate.places import DOCUMENTS
from holdfast.simulate.record import Record
from holdfast.simulate.world import World

SYSTEM_ACTOR: Final = str(SYSTEM)


async def check_record(db: Database, world: World) -> None:
    """Checks that every acknowledged step exists, and no step without an acknowledgement; likewise for blocks, series
    and waitlist entries. Counts what every venue has given away. Records violations."""
    call = db.call(SYSTEM, tenants=world.tenants, deadline_s=None)
    await call.run(_check, world)


STEPS = """
    SELECT booking_id, version, to_status, actor, action FROM booking_history WHERE tenant_id = ANY ($1::uuid[])
"""
BLOCKS = "SELECT id, version, created_by FROM block WHERE tenant_id = ANY ($1::uuid[])"
SERIES = "SELECT id, version, created_by FROM series WHERE tenant_id = ANY ($1::uuid[])"
ENTRIES = "SELECT id, version, created_by FROM waitlist_entry WHERE tenant_id = ANY ($1::uuid[])"


async def _check(tx: Tx, world: World) -> None:
    record = world.record
    _compare_steps(await tx.fetch(STEPS, world.tenants), record)
    for name, sql, acknowledged in (
        ("block", BLOCKS, record.blocks),
        ("series", SERIES, record.series),
        ("entry", ENTRIES, record.entries),
    ):
        _compare(name, await tx.fetch(sql, world.tenants), acknowledged, record)
    _check_queues(await tx.fetch(QUEUE, world.tenants), record)
    for row in await tx.fetch(OFFERS, world.tenants):
        record.found_wrong(f"The offer to entry {row['id']} has no claim: its booking is {row['status']}.")
    for house in world.houses:
        venue = house.venue
        ids = {each.slug: each.id for each in venue.resources.values()}
        at = Counted(DOCUMENTS[venue.slug], venue.tenant_id, venue.id, ids, world.clock.now)
        await count(tx, at, record)


def _compare_steps(rows: Sequence[asyncpg.Record], record: Record) -> None:
    found: set[tuple[UUID, int]] = set()
    for row in rows:
        at = (plain_id(row["booking_id"]), row["version"])
        found.add(at)
        said = record.steps.get(at)
        if said is not None:
            if said != row["to_status"]:
                record.found_wrong(f"Booking {at} was acknowledged as {said} but is {row['to_status']}.")
        elif not _may_be(row["actor"], at[0], record):
            record.found_wrong(
                f"Booking {at}: {row['actor']} got no reply to the step {row['action']} to {row['to_status']}."
            )
    for at in record.steps.keys() - found:
        record.found_wrong(f"Booking {at} was acknowledged as {record.steps[at]} but does not exist.")


def _may_be(actor: str, booking_id: UUID, record: Record) -> bool:
    """Returns whether the step may lack an acknowledgement: by the system, or an actor without a full one."""
    return actor == SYSTEM_ACTOR or actor in record.unsure or (booking_id, actor) in record.told


def _compare(
    name: str, rows: Sequence[asyncpg.Record], acknowledged: dict[UUID, int], record: Record
) -> None:
    there = {plain_id(row["id"]): row for row in rows}
    for id_, version in acknowledged.items():
        row = there.get(id_)
        if row is None or row["version"] < version:
            record.found_wrong(
                f"The {name} {id_} was acknowledged at version {version}, but the database has {row}."
            )
    for id_ in there.keys() - acknowledged.keys():
        if there[id_]["created_by"] not in record.unsure:
            record.found_wrong(f"The {name} {id_} exists but was never acknowledged.")


# Each waitlist event in the order of its venue's channel, with what the entry wants and the start it was offered, which
# may be changed once it is accepted.
QUEUE = """
    SELECT event.venue_id, event.version, event.event_type, e.id, e.seq, e.party_size, e.duration_minutes,
           e.earliest_at, e.latest_at, e.resource_ids, e.preferences,
           (made.payload ->> 'start')::timestamptz AS start_at
      FROM event
      JOIN waitlist_entry AS e ON e.tenant_id = event.tenant_id AND e.id = event.subject_id
      LEFT JOIN event AS made ON made.tenant_id = e.tenant_id AND made.subject_id = e.booking_id
                             AND made.event_type = 'booking.created'
     WHERE event.tenant_id = ANY ($1::uuid[]) AND event.event_type LIKE 'waitlist.%'
     ORDER BY event.venue_id, event.version
"""
OFFERS = """
    SELECT e.id, b.status
      FROM waitlist_entry AS e
      JOIN booking AS b ON b.tenant_id = e.tenant_id AND b.id = e.booking_id
     WHERE e.tenant_id = ANY ($1::uuid[]) AND e.status = 'OFFERED' AND b.status = 'HELD'
       AND NOT EXISTS (SELECT FROM claim WHERE claim.tenant_id = b.tenant_id AND claim.owner_id = b.id)
"""


def _check_queues(rows: Sequence[asyncpg.Record], record: Record) -> None:
    """Checks that no offer skipped an earlier waiting entry that wants exactly the same.

    Goes through the events in commit order. An earlier entry wants the same if its party size, duration and resources
    are equal, and the offered start is within its window.
    """
    waiting: dict[UUID, Any] = {}
    for row in rows:
        if row["event_type"] == "waitlist.joined":
            waiting[row["id"]] = row
            continue
        waiting.pop(row["id"], None)
        if row["event_type"] != "waitlist.offered":
            continue
        for other in waiting.values():
            if _wants_the_same(other, row) and other["seq"] < row["seq"]:
                record.found_wrong(
                    f"Entry {row['id']} ({row['seq']}) was offered what {other['id']} ({other['seq']}) was waiting for."
                )


def _wants_the_same(other: Any, offered: Any) -> bool:
    names = ("venue_id", "party_size", "duration_minutes", "resource_ids")
    return (
        all(other[name] == offered[name] for name in names)
        and orjson.loads(other["preferences"]) == orjson.loads(offered["preferences"])
        and other["earliest_at"] <= offered["start_at"] <= other["latest_at"]
    )
