"""The AsyncAPI document: the live channels and all events, generated from the models."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.feed.shown import EventShown
from holdfast.kernel.body import REF_TEMPLATE
from holdfast.kernel.encode import encode
from holdfast.live import ws
from holdfast.main.asyncapi import frame_models as frames
from holdfast.main.asyncapi import text
from holdfast.main.asyncapi.event_models import EVENTS, ON_BOOKINGS, VERSION

Json = dict[str, Any]
SOCKET_PREFIX = "socket."
"""Name prefix of messages that exist only on the WebSocket."""

REQUESTS: dict[str, type[BaseModel]] = {
    "subscribe": ws.Subscribe,
    "unsubscribe": ws.Unsubscribe,
    "ping": ws.Ping,
}
REPLIES: dict[str, type[BaseModel]] = {
    "subscribed": frames.Subscribed,
    "pong": frames.Pong,
    "error": frames.SocketError,
}
ANSWERS = {"subscribe": ["subscribed", "error"], "unsubscribe": ["error"], "ping": ["pong"]}

router = APIRouter(include_in_schema=False)


@router.get("/asyncapi.json")
async def get_asyncapi() -> Response:
    return Response(_encoded(), media_type="application/json")


@cache
def _encoded() -> bytes:
    return encode(asyncapi())


def asyncapi() -> Json:
    """Returns the document: both channels over both transports, with the schemas of all events."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:holdfast:live",
        "info": {"title": text.TITLE, "version": version("holdfast"), "description": text.DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": text.SERVERS,
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "schemas": schemas(),
            "messages": messages(),
            "securitySchemes": text.SECURITY_SCHEMES,
        },
    }


# --- channels and what is done on them --------------------------------------------------------


def _channels() -> Json:
    both = [ref("servers", name) for name in text.SERVERS]
    told = {"availability": [AVAILABILITY_UPDATED, "reset"], "bookings": [*ON_BOOKINGS, "reset"]}
    channels: Json = {
        name: {
            **text.CHANNELS[name],
            "servers": both,
            "messages": _refs([*types, *(SOCKET_PREFIX + each for each in types)]),
        }
        for name, types in told.items()
    }
    channels["socket"] = {
        **text.CHANNELS["socket"],
        "servers": [ref("servers", "socket")],
        "messages": _refs([*REQUESTS, *REPLIES]),
    }
    return channels


def _refs(names: list[str]) -> Json:
    return {name: ref("components", "messages", name) for name in names}


def _operations() -> Json:
    channels = _channels()
    operations: Json = {
        f"{name}_{server}": {
            "action": "send",
            "channel": ref("channels", name),
            "messages": [
                ref("channels", name, "messages", each)
                for each in channels[name]["messages"]
                if each.startswith(SOCKET_PREFIX) == (server == "socket")
            ],
            **text.OPERATIONS[server],
            **text.SECURITY[name],
        }
        for name in ("availability", "bookings")
        for server in text.SERVERS
    }
    for name in REQUESTS:
        operations[name] = {
            "action": "receive",
            "channel": ref("channels", "socket"),
            "summary": text.REQUESTS[name],
            "messages": [ref("channels", "socket", "messages", name)],
            "reply": {
                "channel": ref("channels", "socket"),
                "messages": [ref("channels", "socket", "messages", each) for each in ANSWERS[name]],
            },
        }
    return operations


def messages() -> Json:
    """Returns every message of both transports, by name."""
    sent = [
        (name, EVENTS[name][0], name, SOCKET_PREFIX + name) for name in (AVAILABILITY_UPDATED, *ON_BOOKINGS)
    ]
    made: Json = {}
    for name, summary, schema, socket_schema in (
        *sent,
        ("reset", frames.Reset.__doc__ or "", "Reset", "SocketReset"),
    ):
        made[name] = {
            **_message(name, summary, schema),
            "headers": _sse_fields(name),
            "tags": [{"name": "server-sent events"}],
        }
        made[SOCKET_PREFIX + name] = _message(name, summary, socket_schema)
    for name, model in (REQUESTS | REPLIES).items():
        made[name] = _message(name, model.__doc__ or "", model.__name__)
    return made


def _message(name: str, summary: str, schema: str) -> Json:
    return {"name": name, "title": name, "summary": summary, "payload": _schema_ref(schema)}


def _sse_fields(name: str) -> Json:
    """Returns the schema of a server-sent event's fields besides its data."""
    return {
        "type": "object",
        "required": ["id", "event"],
        "properties": {
            "id": {"type": "string", "description": "A cursor of all channels of the stream."},
            "event": {"type": "string", "const": name},
        },
    }


def schemas() -> Json:
    """Returns the schemas of all messages, and `Event`: any event with its envelope."""
    made = _model_schemas()
    made[AVAILABILITY_UPDATED] = {
        "anyOf": [_schema_ref("AvailabilityUpdated"), _schema_ref("AvailabilityUpdatedForGuests")]
    }
    for name, (summary, payload) in ON_BOOKINGS.items():
        narrowed = {"event_type": {"const": name}, "payload": _schema_ref(payload.__name__)}
        made[name] = _narrowed("Happened", summary, narrowed)
    for name in (AVAILABILITY_UPDATED, *ON_BOOKINGS):
        narrowed = {"type": {"const": name}, "data": _schema_ref(name)}
        made[SOCKET_PREFIX + name] = _narrowed("SocketEvent", EVENTS[name][0], narrowed)
    made["Event"] = _envelope()
    return made


def _model_schemas() -> Json:
    events = {payload for _, payload in EVENTS.values()}
    told = {frames.AvailabilityUpdated, frames.AvailabilityUpdatedForGuests, frames.Happened, frames.Reset}
    socket = {frames.SocketEvent, frames.SocketReset, *REPLIES.values()}
    sent = sorted(events | told | socket | {EventShown}, key=lambda model: model.__name__)
    _, made = models_json_schema(
        [*((each, "serialization") for each in sent), *((each, "validation") for each in REQUESTS.values())],
        ref_template=REF_TEMPLATE,
    )
    return made["$defs"]


def _envelope() -> Json:
    """Returns the schema of any event as it appears in the feed and in webhooks."""
    kinds = [
        {
            "title": name,
            "description": summary,
            "properties": {"event_type": {"const": name}, "payload": _schema_ref(payload.__name__)},
        }
        for name, (summary, payload) in EVENTS.items()
    ]
    return {
        "description": text.EVENT,
        "allOf": [
            _schema_ref("EventShown"),
            {"properties": {"version": {"const": VERSION}}},
            {"oneOf": kinds},
        ],
    }


def _narrowed(base: str, summary: str, properties: Json) -> Json:
    """Returns the schema of that name with some properties narrowed."""
    return {"description": summary, "allOf": [_schema_ref(base), {"properties": properties}]}


def _schema_ref(name: str) -> Json:
    return ref("components", "schemas", name)


def ref(*path: str) -> Json:
    """Returns a reference to that part of the document."""
    return {"$ref": "#/" + "/".join(path)}
