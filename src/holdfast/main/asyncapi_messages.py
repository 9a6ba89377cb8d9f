"""The messages of the AsyncAPI document and their schemas, made of the models that describe them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.feed.shown import EventShown
from holdfast.kernel.body import REF_TEMPLATE
from holdfast.live import frame_models as frames
from holdfast.live import ws
from holdfast.live.event_models import EVENTS, ON_BOOKINGS, VERSION
from holdfast.main import asyncapi_text as text

Json = dict[str, Any]
SOCKET_PREFIX = "socket."
"""Before the name of a message that only the WebSocket has."""

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


def messages() -> Json:
    """Every message of both transports, by name."""
    made: Json = {}
    for name in (AVAILABILITY_UPDATED, *ON_BOOKINGS):
        summary, _ = EVENTS[name]
        made[name] = {
            **_message(name, summary, name),
            "headers": _sse_fields(name),
            "tags": [{"name": "server-sent events"}],
        }
        made[SOCKET_PREFIX + name] = _message(name, summary, SOCKET_PREFIX + name)
    reset = frames.Reset.__doc__ or ""
    made["reset"] = {
        **_message("reset", reset, "Reset"),
        "headers": _sse_fields("reset"),
        "tags": [{"name": "server-sent events"}],
    }
    made[SOCKET_PREFIX + "reset"] = _message("reset", reset, "SocketReset")
    for name, model in (REQUESTS | REPLIES).items():
        made[name] = _message(name, model.__doc__ or "", model.__name__)
    return made


def _message(name: str, summary: str, schema: str) -> Json:
    return {"name": name, "title": name, "summary": summary, "payload": _schema_ref(schema)}


def _sse_fields(name: str) -> Json:
    """The fields of a server-sent event beside its data."""
    return {
        "type": "object",
        "required": ["id", "event"],
        "properties": {
            "id": {"type": "string", "description": "A cursor of all channels of the stream."},
            "event": {"type": "string", "const": name},
        },
    }


def schemas() -> Json:
    """The schemas of all messages, and `Event`: that of any event with its envelope."""
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
    """Any event as the feed and webhooks have it."""
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
    """The schema of that name, with some of its properties more exactly."""
    return {"description": summary, "allOf": [_schema_ref(base), {"properties": properties}]}


def _schema_ref(name: str) -> Json:
    return ref("components", "schemas", name)


def ref(*path: str) -> Json:
    """A reference to that part of the document."""
    return {"$ref": "#/" + "/".join(path)}
