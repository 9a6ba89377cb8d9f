"""Statements on the table `waitlist_entry`. Nothing else writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from uuid import UUID

import orjson

from holdfast.assigning.preferences import Preferences
from holdfast.booking.model import Guest
from holdfast.event.emit import emit
from holdfast.kernel.db.tx import Tx, encode_text, plain_id
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.kernel.span import Span
from holdfast.waitlist import model
from holdfast.waitlist.model import Entry, EntryStatus

_IDS = ("tenant_id", "id", "venue_id", "booking_id")
COLUMNS = (
    *(each.name for each in fields(Entry) if each.name != "guest"),
    *(f"guest_{each.name}" for each in fields(Guest)),
)
# The address is read as text: asyncpg would decode inet into an address object.
READ_COLUMNS = ", ".join(
    "host(e.joined_ip) AS joined_ip" if name == "joined_ip" else f"e.{name}" for name in COLUMNS
)

_NAMES = ", ".join(name for name in COLUMNS if name != "seq")
INSERT = f"""
    INSERT INTO waitlist_entry ({_NAMES})
    SELECT {_NAMES} FROM json_populate_record(NULL::waitlist_entry, $1::text::json)
    RETURNING seq
"""


async def insert(tx: Tx, entry: Entry) -> Entry:
    """Writes a new entry at the end of its venue's queue, with its event, and returns it. Runs under the venue's
    lock."""
    row = asdict(entry) | {"preferences": model.preferences_json(entry.preferences), **entry.guest.as_json()}
    seq: int = await tx.fetchval(INSERT, encode_text(row))
    await _emit(tx, [entry], actor=str(tx.actor))
    return replace(entry, seq=seq)


# Zero rows for an entry mean that somebody has changed it since it was read. LATERAL with OFFSET 0: one index probe
# for each, whatever table size the planner assumes.
SAVE = """
    UPDATE waitlist_entry AS e
       SET status = new.status, version = new.version, booking_id = new.booking_id,
           offer_expires_at = new.offer_expires_at, updated_at = new.updated_at,
           joined_ip = CASE WHEN new.status IN ('WAITING', 'OFFERED') THEN e.joined_ip END,
           joined_groups = CASE WHEN new.status IN ('WAITING', 'OFFERED') THEN e.joined_groups ELSE '{}' END
      FROM json_populate_recordset(NULL::waitlist_entry, $1::text::json) AS new,
           LATERAL (SELECT ctid AS place FROM waitlist_entry AS old
                     WHERE old.tenant_id = new.tenant_id AND old.id = new.id
                       AND old.version = new.version - 1
                    OFFSET 0) AS found
     WHERE e.ctid = found.place
"""


async def save(tx: Tx, entries: Sequence[Entry], *, actor: str) -> None:
    """Writes the next version of each entry, with an event for each. Raises VersionConflict.

    Runs under the venue's lock. `actor`: recorded as the one who did it.
    """
    if not entries:
        return
    saved = await tx.execute(SAVE, encode_text(entries))
    if int(saved.split()[-1]) != len(entries):
        raise VersionConflict
    await _emit(tx, entries, actor=actor)


async def _emit(tx: Tx, entries: Sequence[Entry], *, actor: str) -> None:
    await emit(tx, [model.event(each, actor=actor, traceparent=tx.traceparent) for each in entries])


FIND = f"SELECT {READ_COLUMNS} FROM waitlist_entry AS e WHERE e.id = $1"


async def find(tx: Tx, entry_id: UUID) -> Entry:
    """Returns the entry, for callers that don't know its tenant yet. Raises NotFound."""
    return _found(await tx.fetchrow(FIND, entry_id), entry_id)


GET = f"SELECT {READ_COLUMNS} FROM waitlist_entry AS e WHERE e.tenant_id = $1 AND e.id = $2"
GET_FOR_UPDATE = f"{GET} FOR UPDATE"


async def get(tx: Tx, tenant_id: UUID, entry_id: UUID, *, for_update: bool = False) -> Entry:
    """Returns the tenant's entry, locked against other changes with `for_update`. Raises NotFound."""
    return _found(await tx.fetchrow(GET_FOR_UPDATE if for_update else GET, tenant_id, entry_id), entry_id)


def _found(row: Any, entry_id: UUID) -> Entry:
    if row is None:
        raise NotFound(f"There is no entry {entry_id}.")
    return from_row(row)


CHANGED = """
    SELECT metadata ->> 'changed' FROM booking_history
     WHERE tenant_id = $1 AND booking_id = $2 AND version = $3
"""


async def changed_fields(tx: Tx, tenant_id: UUID, booking_id: UUID, version: int) -> frozenset[str] | None:
    """Returns the columns that the update to this version of the booking changed; None if that isn't known."""
    changed = await tx.fetchval(CHANGED, tenant_id, booking_id, version)
    return None if changed is None else frozenset(orjson.loads(changed))


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """The span and resources of an open offer, from its booking."""

    span: Span
    resource_ids: tuple[UUID, ...]


# LATERAL with OFFSET 0: one index probe for each, whatever table size the planner assumes.
OFFERS = """
    SELECT b.*
      FROM unnest($2::uuid[]) AS asked (id),
           LATERAL (SELECT id, start_at, end_at, resource_ids FROM booking
                     WHERE booking.tenant_id = $1 AND booking.id = asked.id OFFSET 0) AS b
"""


async def offers(tx: Tx, entries: Sequence[Entry]) -> dict[UUID, OpenOffer]:
    """Returns the open offers of one tenant's entries, by booking id."""
    ids = [each.booking_id for each in entries if each.status is EntryStatus.OFFERED]
    if not ids:
        return {}
    rows = await tx.fetch(OFFERS, entries[0].tenant_id, ids)
    return {
        plain_id(row["id"]): OpenOffer(
            Span(row["start_at"], row["end_at"]), tuple(map(plain_id, row["resource_ids"]))
        )
        for row in rows
    }


def from_row(row: Any) -> Entry:
    """Returns the entry of a row with READ_COLUMNS."""
    values = {name: row[name] for name in COLUMNS}
    for name in _IDS:
        values[name] = values[name] and plain_id(values[name])
    values["status"] = EntryStatus(values["status"])
    values["resource_ids"] = tuple(map(plain_id, values["resource_ids"]))
    values["joined_groups"] = tuple(values["joined_groups"])
    values["preferences"] = Preferences.of_json(orjson.loads(values["preferences"]))
    guest = Guest(**{each.name: values.pop(f"guest_{each.name}") for each in fields(Guest)})
    return Entry(guest=guest, **values)
