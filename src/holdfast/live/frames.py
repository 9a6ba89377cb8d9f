"""Events and cursors in the form in which clients get them. Pure.

A frame combines JSON that is encoded once per event and view with the name that a reader uses for the channel.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal, NamedTuple

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.channel.guests import NOT_NOW_REASON
from holdfast.channel.names import (
    BLOCKED_REASON,
    CLOSED_REASON,
    ChannelKey,
    Viewer,
    guest_state,
    staff_state,
)
from holdfast.event.model import Committed
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import InvalidRequest

Transport = Literal["sse", "ws"]
CURSOR_CHARS_MAX = 100
_CURSOR = re.compile(r"([0-9a-f]{8})-([0-9a-f]{1,16})")
_POSITION_MAX = 2**63 - 1


def cursor_of(position: int, history: str) -> str:
    """Returns the cursor of a client that has been sent everything up to the position.

    `history`: the epoch of positions. In another history the same position is another event.
    """
    return f"{history}-{position:x}"


def parse_cursor(text: str) -> tuple[int, str]:
    """Returns the position and the history it belongs to. Raises InvalidRequest."""
    match = _CURSOR.fullmatch(text)
    if match is not None:
        position = int(match[2], 16)
        if position <= _POSITION_MAX:
            return position, match[1]
    raise InvalidRequest.of(
        "after", text[:CURSOR_CHARS_MAX], "must be a cursor that this service gave, as it was given"
    )


class ChannelEvent(NamedTuple):
    """An event of a channel, encoded for sending.

    `staff`, `guest`: its fields for these viewers, as JSON without the opening brace. `groups`: for guests in these
    groups, where it differs from the public's. `epoch`: the database's number.
    """

    position: int
    key: ChannelKey
    epoch: int
    version: int
    kind: str
    written_at: datetime
    staff: bytes
    guest: bytes
    groups: tuple[tuple[frozenset[str], bytes], ...] = ()

    def fields(self, viewer: Viewer) -> bytes:
        """Returns what the viewer gets."""
        if viewer.is_staff or not viewer.groups or not self.groups:
            return self.staff if viewer.is_staff else self.guest
        known = [each for each in self.groups if each[0].issubset(viewer.groups)]
        return max(known, key=lambda each: len(each[0]))[1] if known else self.guest


def channel_event(committed: Committed) -> ChannelEvent:
    """Returns the event encoded for its channel; it must belong to one."""
    event = committed.event
    assert event.venue_id is not None
    assert event.channel is not None
    assert committed.epoch is not None
    assert committed.version is not None
    if event.event_type == AVAILABILITY_UPDATED:
        staff, guest, groups = _availability(committed)
    else:
        staff = guest = _other(committed)
        groups = ()
    return ChannelEvent(
        position=committed.position,
        key=(event.tenant_id, event.venue_id, event.channel),
        epoch=committed.epoch,
        version=committed.version,
        kind=event.event_type,
        written_at=committed.written_at,
        staff=staff,
        guest=guest,
        groups=groups,
    )


def _availability(committed: Committed) -> tuple[bytes, bytes, tuple[tuple[frozenset[str], bytes], ...]]:
    payload = committed.event.payload
    closed = bool(payload.get("closed"))
    fields: dict[str, Any] = {
        "eventType": AVAILABILITY_UPDATED,
        "sectionId": payload["section_id"],
        "slotId": payload["slot_id"],
        "date": payload["date"],
        "previousState": staff_state(payload["previous_state"], closed=closed),
        "newState": staff_state(payload["new_state"], closed=closed),
        "unitsFree": 0 if closed else payload["units_free"],
        "reason": payload["reason"],
        "updatedAt": payload["updated_at"],
    }
    staff = encode({**fields, "actor": committed.event.actor})
    groups = tuple(
        (frozenset(each["groups"]), _for_guests(fields, payload | each))
        for each in payload.get("for_groups") or ()
    )
    return staff[1:], _for_guests(fields, payload), groups


def _for_guests(fields: dict[str, Any], payload: dict[str, Any]) -> bytes:
    closed = bool(payload.get("closed"))
    before = None if payload.get("guests", True) else NOT_NOW_REASON  # what older events say
    blocked = CLOSED_REASON if closed and payload["new_state"] != "blocked" else BLOCKED_REASON
    why_not = blocked if fields["newState"] == "blocked" else payload.get("guests_cannot", before)
    is_available = fields["newState"] == "available" and why_not is None
    shown = fields | {
        "previousState": guest_state(fields["previousState"], is_time=payload.get("guests_could", True)),
        "newState": guest_state(fields["newState"], is_time=is_available),
        "unitsFree": payload.get("units_for_guests", payload["units_free"]) if is_available else 0,
        "reason": why_not,
    }
    at, times = _instant(payload["updated_at"]), payload.get("times") or ()
    bookable = next((each for each in times if at <= _instant(each[1])), None)
    shown["bookableFrom"], shown["bookableUntil"] = bookable or (None, None)
    return encode(shown)[1:]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _other(committed: Committed) -> bytes:
    event = committed.event
    return encode(
        {
            "id": str(event.id),
            "event_type": event.event_type,
            "timestamp": event.created_at,
            "actor": event.actor,
            "venue_id": str(event.venue_id),
            "payload": event.payload,
        }
    )[1:]


def event_frame(
    transport: Transport, event: ChannelEvent, *, name: bytes, viewer: Viewer, epoch: str, cursor: str
) -> bytes:
    """Returns the event's frame for readers who use that name for the channel (`name`: JSON, quotes included)."""
    fields = event.fields(viewer)
    data = b'{"channel":%b,"epoch":"%b","version":%d,%b' % (name, epoch.encode(), event.version, fields)
    if transport == "sse":
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor.encode(), event.kind.encode(), data)
    return b'{"op":"event","cursor":"%b","channel":%b,"epoch":"%b","version":%d,"type":"%b","data":%b}' % (
        cursor.encode(),
        name,
        epoch.encode(),
        event.version,
        event.kind.encode(),
        data,
    )


def reset_frame(transport: Transport, *, name: bytes, epoch: str, version: int, cursor: str) -> bytes:
    """Returns a frame that makes the reader fetch the channel's state again, at this version or later."""
    data = b'"channel":%b,"epoch":"%b","version":%d}' % (name, epoch.encode(), version)
    if transport == "sse":
        return b"id: %b\nevent: reset\ndata: {%b\n\n" % (cursor.encode(), data)
    return b'{"op":"reset","cursor":"%b",%b' % (cursor.encode(), data)


def opening(*, retry_ms: int, cursor: str | None) -> bytes:
    """Returns the first block of an SSE stream: the delay before reconnecting, and the cursor to reconnect with."""
    id_ = b"" if cursor is None else b"id: %b\n" % cursor.encode()
    return b"retry: %d\n%b\n" % (retry_ms, id_)


def comment(cursor: str | None) -> bytes:
    """Returns the heartbeat of an SSE stream, with the current cursor, so that a client that reconnects after a long
    quiet time has missed nothing."""
    return b":\n\n" if cursor is None else b":\nid: %b\n\n" % cursor.encode()
