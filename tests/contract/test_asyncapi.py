"""/asyncapi.json is a document by the standard. test_told.py is about whether it says what is really sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx
import jsonschema
import pytest
from typer.testing import CliRunner

from holdfast.block.model import EVENT_TYPES as BLOCK_TYPES
from holdfast.booking.store import EVENT_TYPES as BOOKING_TYPES
from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.event import model as events
from holdfast.main.asyncapi.document import REPLIES, REQUESTS, SOCKET_PREFIX
from holdfast.main.asyncapi.event_models import EVENTS, ON_BOOKINGS, VERSION
from holdfast.main.cli.commands import app as cli
from holdfast.waitlist.model import EVENT_TYPES as WAITLIST_TYPES

from .served import Api
from .standard import asyncapi_3, at, faults

Json = dict[str, Any]


@pytest.fixture(scope="module")
def standard() -> jsonschema.Draft7Validator:
    return asyncapi_3()


def test_it_is_valid_by_the_standard(document: Json, standard: jsonschema.Draft7Validator) -> None:
    assert list(faults(document, standard)) == []


def without(*path: str) -> Callable[[Json], None]:
    return lambda document: at(document, "/".join(path[:-1])).pop(path[-1])


def with_(value: Any, *path: str) -> Callable[[Json], None]:
    return lambda document: at(document, "/".join(path[:-1])).update({path[-1]: value})


BREAKS = {
    "no title": without("info", "title"),
    "another version": with_("2.6.0", "asyncapi"),
    "no protocol": without("servers", "stream", "protocol"),
    "an action of version 2": with_("publish", "operations", "subscribe", "action"),
    "a channel that is not one": with_({"addres": "x"}, "channels", "bookings"),
    "a type that JSON Schema lacks": with_("instant", "components", "schemas", "Reset", "type"),
    "a security scheme that is not one": with_("magic", "components", "securitySchemes", "bearer", "type"),
    "a reference to nothing": without("components", "schemas", "BookingEvent"),
    "a message of another channel": with_(
        [{"$ref": "#/channels/bookings/messages/booking.created"}],
        "operations",
        "availability_stream",
        "messages",
    ),
    "a parameter that is not there": without("channels", "availability", "parameters", "slotId"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_one_is_not(name: str, document: Json, standard: jsonschema.Draft7Validator) -> None:
    broken = deepcopy(document)
    BREAKS[name](broken)
    assert next(faults(broken, standard), None)


async def test_it_is_served_to_anybody_and_printed(api: Api, document: Json) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=None) as client:
        response = await client.get("/asyncapi.json")
        assert (await client.get("/asyncapi.json", headers={"authorization": "Bearer x"})).status_code == 200
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == document
    printed = CliRunner().invoke(cli, ["asyncapi"])
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, document)


def test_every_type_that_the_code_has_is_described() -> None:
    types = {
        *BOOKING_TYPES.values(),
        "booking.status_changed",
        *BLOCK_TYPES.values(),
        *WAITLIST_TYPES.values(),
    }
    described = {name for name in EVENTS if name.partition(".")[0] in ("booking", "block", "waitlist")}
    assert described == types
    assert VERSION == events.VERSION


def test_each_transport_has_every_event(document: Json) -> None:
    told = {AVAILABILITY_UPDATED, *ON_BOOKINGS, "reset"}
    expected = told | {SOCKET_PREFIX + name for name in told} | REQUESTS.keys() | REPLIES.keys()
    assert document["components"]["messages"].keys() == expected
