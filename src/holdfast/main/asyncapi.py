"""The AsyncAPI document: the live channels and every event, made of the models that describe them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.kernel.encode import encode
from holdfast.live.event_models import ON_BOOKINGS
from holdfast.main import asyncapi_text as text
from holdfast.main.asyncapi_messages import REPLIES, REQUESTS, SOCKET_PREFIX, messages, ref, schemas

Json = dict[str, Any]
ANSWERS = {"subscribe": ["subscribed", "error"], "unsubscribe": ["error"], "ping": ["pong"]}

router = APIRouter(include_in_schema=False)


@router.get("/asyncapi.json")
async def get_asyncapi() -> Response:
    return Response(_encoded(), media_type="application/json")


@cache
def _encoded() -> bytes:
    return encode(asyncapi())


def asyncapi() -> Json:
    """The document of both channels over both transports; its schemas are those of all events."""
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
