"""Texts of the AsyncAPI document, and the addresses of the channels."""

from __future__ import annotations

from typing import Any

from holdfast.live.subscribe import CHANNELS_MAX

Json = dict[str, Any]

TITLE = "Holdfast live"
DESCRIPTION = """Changes at a venue, live.

Every event of a channel has a `version`, one more than the one before, within an `epoch`. Fetch the snapshot of
`GET /api/v1/clubs/{tenant}/venues/{venue}/availability`, then apply the events after its version. After a gap, after
`reset`, and when the epoch changes, fetch the snapshot again. Fields may be added to any message: ignore those you
don't know.

Both transports carry the same events of the same channels. Events are sent after
their commit, at least once."""

EVENT = """An event with its envelope, as `GET /api/v1/events` has it; `version` is that of the envelope and of all
payloads. Within it fields are only ever added."""

_HOST: Json = {
    "host": "{host}",
    "variables": {"host": {"default": "127.0.0.1:8000", "description": "Where Holdfast runs."}},
}
SERVERS: Json = {
    "stream": {
        **_HOST,
        "protocol": "http",
        "pathname": "/api/v1/live",
        "title": "Server-sent events",
        "summary": f"GET /api/v1/live?channel=...&channel=..., up to {CHANNELS_MAX} channels.",
        "description": "`Last-Event-ID` or `after` resumes after that cursor. A comment is sent every 15 s.",
    },
    "socket": {
        **_HOST,
        "protocol": "ws",
        "pathname": "/api/v1/live/ws",
        "title": "WebSocket",
        "summary": f"Messages subscribe and unsubscribe channels, up to {CHANNELS_MAX} at a time.",
    },
}

_TOKEN: Json = {"type": "string", "description": "A token, where the Authorization header can't be set."}
_PARAMETERS: Json = {
    "tenant": {"description": "The tenant, by slug or id.", "examples": ["nordlek"]},
    "venue": {"description": "The venue, by slug or id.", "examples": ["klubb-polar"]},
}
CHANNELS: Json = {
    "availability": {
        "address": "availability:{tenant}:{venue}:{date}:{slotId}",
        "title": "Availability of a slot",
        "description": "The states of all resources of a venue in one slot of one opening day. Public: staff "
        "see all five states and who changed them, others see whether a resource is available. Its versions start "
        "when it is first requested.",
        "parameters": {
            **_PARAMETERS,
            "date": {"description": "The opening day, YYYY-MM-DD.", "examples": ["2026-11-28"]},
            "slotId": {
                "description": "The slot. `day` where the venue has none.",
                "examples": ["slot_21_00"],
            },
        },
    },
    "bookings": {
        "address": "chain.bookings.{tenant}.{venue}",
        "title": "Bookings of a venue",
        "description": "Every change of bookings, blocks, waitlist and series of a venue. For its staff.",
        "parameters": _PARAMETERS,
    },
    "socket": {
        "address": None,
        "title": "The WebSocket itself",
        "description": "The client's requests and the replies. All other messages on the socket are events or resets.",
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"access_token": _TOKEN}},
                "headers": {
                    "type": "object",
                    "properties": {
                        "Authorization": {"type": "string", "description": "`Bearer` and a token."},
                        "Origin": {"type": "string", "description": "Set by browsers, and checked."},
                    },
                },
            }
        },
    },
}

_QUERY: Json = {
    "type": "object",
    "required": ["channel"],
    "properties": {
        "channel": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": CHANNELS_MAX},
        "after": {"type": "string", "description": "A cursor: the stream starts with the events after it."},
        "access_token": _TOKEN,
    },
}
OPERATIONS: Json = {
    "stream": {
        "summary": "As server-sent events.",
        "bindings": {"http": {"method": "GET", "query": _QUERY, "bindingVersion": "0.3.0"}},
    },
    "socket": {"summary": "Over a WebSocket, to subscribers."},
}
REQUESTS = {
    "subscribe": "Adds channels.",
    "unsubscribe": "Removes channels.",
    "ping": "Checks that the connection is alive.",
}

SECURITY_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the configured issuer. The stream ends when it expires.",
    },
    "access_token": {
        "type": "httpApiKey",
        "name": "access_token",
        "in": "query",
        "description": "The same token, where the Authorization header can't be set.",
    },
}
SECURITY: Json = {
    "availability": {},
    "bookings": {"security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY_SCHEMES]},
}
