"""What is sent on the live channels, and what is in the event table, is as the AsyncAPI document says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jsonschema
import orjson
import pytest

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.event.model import Event
from holdfast.event.number import Numberer
from holdfast.event.read import read
from holdfast.feed.shown import envelope
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.encode import encode
from holdfast.main.asyncapi.event_models import EVENTS
from holdfast.place.kept import Tenant
from tests.conftest import House
from tests.engines import connect
from tests.processes import PATIENT_S, until

from .documented import Schemas
from .everything import DAY, DOCUMENT, SLOT, channels, everything, tenant_id
from .listening import Heard, server_sent_events, web_socket
from .served import Api

Json = dict[str, Any]


@pytest.fixture(scope="module")
async def kept(api: Api) -> AsyncIterator[Database]:
    """The database of that API."""
    database = await connect(api.database_url, pool_max=2, deadline_s=PATIENT_S)
    yield database
    await database.close()


@dataclass
class Evening:
    """A house where everything has happened, what its readers heard of it, and what was said on the socket."""

    house: House
    staff: Heard
    anybody: Heard
    socket: Heard
    asked: list[Json]


@pytest.fixture(scope="module")
async def evening(api: Api, kept: Database) -> Evening:
    house = await api.house(**DOCUMENT)
    slot, bookings = channels(house)
    asked = [
        {"op": "subscribe", "channels": [slot, bookings]},
        {"op": "ping"},
        {"op": "subscribe", "channels": ["availability:nowhere"]},
        {"op": "unsubscribe", "channels": [slot]},
    ]
    async with (
        server_sent_events(api.url, [slot, bookings], house.bob) as staff,
        server_sent_events(api.url, [slot], {}) as anybody,
        web_socket(api.url, house.bob) as socket,
    ):
        for message in asked[:3]:
            await socket.ask(message)
        await until(lambda: answered(socket, {"subscribed", "pong", "error"}))
        await everything(house, kept)
        await until(lambda: all_heard(api, house, [staff, socket], [anybody]))
        await house.change_policy(min_notice_minutes=1)  # every stream of a slot begins anew
        await until(lambda: all_reset(staff, anybody, socket))
        await socket.ask(asked[3])
    return Evening(house, staff, anybody, socket, asked)


def test_all_that_is_sent_is_as_the_document_says(evening: Evening, document: Json) -> None:
    schemas = Schemas(document)
    for message in evening.asked:
        schemas.check_message(message["op"], message)
    for heard in (evening.staff, evening.anybody, evening.socket):
        schemas.check_heard(heard)
    assert schemas.seen == set(document["components"]["messages"])


def test_others_than_staff_are_told_less(evening: Evening, document: Json) -> None:
    schemas = Schemas(document)
    for heard, model in (
        (evening.staff, "AvailabilityUpdated"),
        (evening.anybody, "AvailabilityUpdatedForGuests"),
    ):
        updates = [frame["data"] for frame in heard.frames if frame.get("event") == AVAILABILITY_UPDATED]
        assert updates
        for each in updates:
            schemas.check({"$ref": f"#/components/schemas/{model}"}, each)


async def test_every_event_in_the_table_is_as_the_document_says(
    evening: Evening, kept: Database, document: Json
) -> None:
    schemas, seen = Schemas(document), set()
    tenant = await tenant_id(kept, evening.house)
    for event in await all_events(kept, tenant):
        told = envelope(event, Tenant(tenant, evening.house.tenant, "Nord", 1, event.created_at))
        schemas.check({"$ref": "#/components/schemas/Event"}, orjson.loads(encode(told)))
        seen.add(event.event_type)
    assert seen == set(EVENTS)


@pytest.mark.parametrize(
    "harm",
    [
        {"colour": "red"},
        {"version": "7"},
        {"epoch": None},
        {"actor": {}},
        {"payload": {}},
        {"event_type": "x"},
    ],
)
def test_what_the_document_does_not_say_would_be_found(harm: Json, evening: Evening, document: Json) -> None:
    schemas = Schemas(document)
    frame = next(frame for frame in evening.staff.frames if frame.get("event") == "booking.created")
    schemas.check_message("booking.created", frame["data"])
    with pytest.raises(jsonschema.ValidationError):
        schemas.check_message("booking.created", frame["data"] | harm)
    with pytest.raises(AssertionError):
        schemas.check_message("booking.lost", frame["data"])


async def answered(heard: Heard, wanted: set[str]) -> bool:
    return wanted <= {frame["op"] for frame in heard.frames}


async def all_heard(api: Api, house: House, staff: list[Heard], guests: list[Heard]) -> bool:
    path = f"/clubs/{house.tenant}/venues/{house.venue['slug']}/availability"
    snapshot = await api.client.get(path, params={"date": str(DAY), "slotId": SLOT})
    assert snapshot.status_code == 200, snapshot.text
    slot, version = channels(house)[0], snapshot.json()["version"]
    told = all(each.has(slot, version) for each in [*staff, *guests])
    return told and all("waitlist.lapsed" in kinds(each) for each in staff)


async def all_reset(*readers: Heard) -> bool:
    return all("reset" in kinds(each) for each in readers)


def kinds(heard: Heard) -> set[str]:
    """The types of the events that it heard, and the other kinds of messages."""
    return {frame.get("event") or frame.get("type") or frame.get("op", "") for frame in heard.frames}


async def all_events(db: Database, tenant: UUID) -> list[Event]:
    await Numberer(db).number()
    found = await db.call(SYSTEM, tenants=[tenant]).run(read, after=0)
    return [each.event for each in found]
