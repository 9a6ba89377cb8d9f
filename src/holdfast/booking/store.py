"""SQL on table `booking`, and the only module that writes bookings, with their history and events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from operator import attrgetter
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.model import Booking, Details, Guest
from holdfast.booking.said import ExtraTaken, Item
from holdfast.booking.states import Status
from holdfast.channel.names import BOOKINGS
from holdfast.event.emit import emit_from
from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx, encode_text, plain_id
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.kernel.ids import new_id
from holdfast.kernel.value import value
from holdfast.port.lines import Price, PriceLine

# Nested values are flattened into the row, only in this module. _VALUES: column -> attribute path.
_GUEST = tuple(each.name for each in fields(Guest))
_PRICE = (  # in the order of `Price`
    "base_minor",
    "tax_minor",
    "discount_minor",
    "total_minor",
    "currency",
    "price_source",
    "tax_included",
    "price_lines",
    "minimum_spend_minor",
    "deposit_minor",
)
_DETAILS = tuple(each.name for each in fields(Details))
_VALUES = {
    **{f"guest_{name}": f"guest.{name}" for name in _GUEST},
    **{name: f"price.{name.removeprefix('price_')}" for name in _PRICE},
    **{name: f"details.{name}" for name in _DETAILS},
    "preferences": "preferences.as_json",
}
_NESTED = {"guest", "price", "details", "preferences"}
_OWN = [each.name for each in fields(Booking) if each.name not in _NESTED]
COLUMNS = (*_OWN, *_VALUES)
_flat = attrgetter(*_OWN, *_VALUES.values())
_NAMES = ", ".join(COLUMNS)
_ADDRESSES = ("hold_ip", "booked_ip")


def read_columns(prefix: str = "") -> str:
    """Returns the columns as `from_row` takes them. `prefix`: of the names, such as `booking.`."""
    # Addresses are read as text: asyncpg would decode inet into an address object.
    return ", ".join(
        f"host({prefix}{name}) AS {name}" if name in _ADDRESSES else f"{prefix}{name}" for name in COLUMNS
    )


READ_COLUMNS = read_columns()
_FIXED = {"tenant_id", "id", "venue_id", "reference", "created_at", "idempotency_key"}
_IDS = ("tenant_id", "id", "venue_id", "shared_facility_owner_tenant_id")
_CHANGES = ", ".join(f"{name} = new.{name}" for name in COLUMNS if name not in _FIXED)


# Action in the history -> type of the event.
EVENT_TYPES = {
    "create": "booking.created",
    "update": "booking.updated",
    "bind": "booking.updated",
    "cancel_item": "booking.updated",
    "cancel": "booking.cancelled",
    "confirm": "booking.confirmed",
    "check_in": "booking.checked_in",
    "complete": "booking.completed",
    "expire": "booking.expired",
    "no_show": "booking.no_show",
}


@value()
class Step:
    """One step of a booking: the booking after it, and its history entry. `facts`: extra fields of its event."""

    booking: Booking
    from_status: Status | None
    action: str
    actor: str
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    traceparent: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def history(self) -> dict[str, Any]:
        """Returns the row for table `booking_history`."""
        return {
            "tenant_id": self.booking.tenant_id,
            "booking_id": self.booking.id,
            "version": self.booking.version,
            "from_status": self.from_status,
            "to_status": self.booking.status,
            "actor": self.actor,
            "action": self.action,
            "reason": self.reason,
            "metadata": self.metadata,
            "created_at": self.booking.updated_at,
        }

    @property
    def event_type(self) -> str:
        return EVENT_TYPES.get(self.action, "booking.status_changed")

    def event(self) -> Event:
        """Returns the event for this step. It has no personal data."""
        booking = self.booking
        return Event(
            id=new_id(),
            tenant_id=booking.tenant_id,
            event_type=self.event_type,
            venue_id=booking.venue_id,
            subject_id=booking.id,
            payload={
                "booking_id": booking.id,
                "booking_reference": booking.reference,
                "from_status": self.from_status,
                "status": booking.status,
                "version": booking.version,
                "venue_id": booking.venue_id,
                "resource_ids": booking.resource_ids,
                "slot_id": booking.slot_id,
                "start": booking.start_at,
                "end": booking.end_at,
                "party_size": booking.party_size,
                "total_minor": booking.total_minor,
                "currency": booking.price.currency,
                "expires_at": booking.expires_at,
                "source": booking.details.source,
                **self.facts,
            },
            actor=self.actor,
            created_at=booking.updated_at,
            traceparent=self.traceparent,
            channel=BOOKINGS,
        )


def said_of(overrides: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Returns what the history and the event of a step say of the rules that it overruled."""
    return {"overrides": [*overrides]} if overrides else {}


def row(booking: Booking) -> dict[str, Any]:
    """Returns the booking's columns: an element of the array that `insert_from` and SAVE write."""
    return dict(zip(COLUMNS, _flat(booking), strict=True))


def changed_columns(before: Booking, after: Booking) -> list[str]:
    """Returns the names of the columns that differ, other than `version` and `updated_at`."""
    pairs = zip(COLUMNS, _flat(before), _flat(after), strict=True)
    return sorted(name for name, was, is_ in pairs if was != is_ and name not in ("version", "updated_at"))


def insert_from(parameter: str) -> str:
    """Returns the INSERT of bookings. `parameter`: the SQL parameter that has them as one JSON array."""
    return f"""
    INSERT INTO booking ({_NAMES})
    SELECT {_NAMES} FROM json_populate_recordset(NULL::booking, {parameter}::text::json)"""


def history_from(parameter: str) -> str:
    """Returns the INSERT of history rows. `parameter`: the SQL parameter that has them as one JSON array."""
    return f"""
    INSERT INTO booking_history (tenant_id, booking_id, version, from_status, to_status, actor, action,
                                 reason, metadata, created_at)
    SELECT tenant_id, booking_id, version, from_status, to_status, actor, action, reason, metadata, created_at
      FROM json_populate_recordset(NULL::booking_history, {parameter}::text::json)"""


# If no row is updated for a booking, somebody else has changed it since it was read.
SAVE = f"""
    WITH saved AS (
        UPDATE booking SET {_CHANGES}
          FROM json_populate_recordset(NULL::booking, $1::text::json) AS new
         WHERE booking.tenant_id = new.tenant_id AND booking.id = new.id
           AND booking.version = new.version - 1
     RETURNING booking.id
    ), history AS ({history_from("$2")}
    ), {emit_from("$3")}
    SELECT count(*) FROM saved
"""


async def save(tx: Tx, steps: Sequence[Step]) -> None:
    """Writes the next version of each booking, with its history and event. Raises VersionConflict."""
    if not steps:
        return
    saved = await tx.fetchval(
        SAVE,
        encode_text([row(step.booking) for step in steps]),
        encode_text([step.history() for step in steps]),
        tx.emitting([step.event() for step in steps]),
    )
    if saved != len(steps):
        raise VersionConflict


FIND = f"SELECT {READ_COLUMNS} FROM booking WHERE id = $1"


async def find(tx: Tx, booking_id: UUID) -> Booking:
    """Returns the booking, for callers that don't know its tenant yet. Raises NotFound."""
    return one_found(await tx.fetchrow(FIND, booking_id), booking_id)


GET = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = $1 AND id = $2"
GET_FOR_UPDATE = f"{GET} FOR UPDATE"


async def get(tx: Tx, tenant_id: UUID, booking_id: UUID, *, for_update: bool = False) -> Booking:
    """Returns the tenant's booking. `for_update`: also lock its row. Raises NotFound."""
    sql = GET_FOR_UPDATE if for_update else GET
    return one_found(await tx.fetchrow(sql, tenant_id, booking_id), booking_id)


def one_found(row: asyncpg.Record | None, name: object) -> Booking:
    if row is None:
        raise NotFound(f"There is no booking {name}.")
    return from_row(row)


# LATERAL with OFFSET 0: one index probe per id, in order, however large the planner thinks the table is.
OF_IDS = f"""
    SELECT b.*
      FROM unnest($1::uuid[], $2::uuid[]) AS asked (tenant_id, id),
           LATERAL (SELECT {READ_COLUMNS} FROM booking
                     WHERE booking.tenant_id = asked.tenant_id AND booking.id = asked.id
                    OFFSET 0 FOR UPDATE) AS b
"""


async def of_ids(tx: Tx, asked: Iterable[tuple[UUID, UUID]]) -> list[Booking]:
    """Returns these bookings, given as (tenant, booking), ordered by id and with their rows locked."""
    pairs = sorted(asked, key=lambda pair: pair[1])
    rows = await tx.fetch(OF_IDS, [tenant for tenant, _ in pairs], [id_ for _, id_ in pairs])
    return [from_row(row) for row in rows]


def from_row(row: Any) -> Booking:
    """Returns the booking of a row with READ_COLUMNS."""
    values = dict(row)
    for name in _IDS:
        values[name] = values[name] and plain_id(values[name])
    values["status"] = Status(values["status"])
    values["resource_ids"] = tuple(map(plain_id, values["resource_ids"]))
    values["booked_groups"] = tuple(values["booked_groups"])
    values["metadata"] = orjson.loads(values["metadata"])
    values["answers"] = {} if values["answers"] == "{}" else orjson.loads(values["answers"])
    values["overrides"] = tuple(orjson.loads(values["overrides"]))
    values["price_lines"] = tuple([PriceLine(**each) for each in orjson.loads(values["price_lines"])])
    values["extras"] = taken_of(values["extras"])
    values["items"] = () if values["items"] == "[]" else items_of(values["items"])
    take = values.pop
    preferences = take("preferences")
    return Booking(
        guest=Guest(**{name: take(f"guest_{name}") for name in _GUEST}),
        price=Price(*map(take, _PRICE)),
        details=Details(**{name: take(name) for name in _DETAILS}),
        preferences=ANYTHING if preferences == "{}" else Preferences.of_json(orjson.loads(preferences)),
        **values,
    )


def taken_of(text: str) -> tuple[ExtraTaken, ...]:
    """Returns the extras in the column of that name."""
    return () if text == "[]" else tuple([ExtraTaken(**each) for each in orjson.loads(text)])


def items_of(text: str) -> tuple[Item, ...]:
    """Returns the items of an order in the column of that name."""
    return tuple([_item(each) for each in orjson.loads(text)])


def _item(stored: dict[str, Any]) -> Item:
    return Item(
        id=UUID(stored["id"]),
        party_size=stored["party_size"],
        resource_ids=tuple(map(UUID, stored["resource_ids"])),
        preferences=Preferences.of_json(stored["preferences"]["as_json"]),
        chosen_by=stored["chosen_by"],
        lines=tuple([PriceLine(**each) for each in stored["lines"]]),
        minimum_spend_minor=stored["minimum_spend_minor"],
        is_cancelled=stored["is_cancelled"],
    )
