"""What events look like to whom, and how they travel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from holdfast.channel.names import PUBLIC_VIEW, STAFF_VIEW, public_epoch
from holdfast.event.model import Committed, Event
from holdfast.kernel.errors import Forbidden, InvalidRequest
from holdfast.live import frames, outlets
from holdfast.live.frames import cursor_of, parse_cursor
from holdfast.live.routes import check_origin, origins
from tests.live.made import TENANT, VENUE

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)


def updated(
    previous: str, new: str, *, reason: str = "VIP", units_free: int = 0, **more: Any
) -> frames.ChannelEvent:
    payload = {
        "section_id": str(VENUE), "slot_id": "late", "date": "2027-01-01", "previous_state": previous,
        "new_state": new, "units_free": units_free, "changed_by": "staff:bob", "reason": reason,
        "updated_at": "2027-01-01T12:00:00+00:00", **more,
    }  # fmt: skip
    event = Event(
        id=VENUE, tenant_id=TENANT, event_type="availability.updated", venue_id=VENUE, subject_id=VENUE,
        payload=payload, actor="staff:bob", created_at=NOW, channel="2027-01-01:late",
    )  # fmt: skip
    return frames.channel_event(Committed(7, event, version=3, epoch=255, written_at=NOW))


def fields(each: frames.ChannelEvent, *, staff: bool) -> dict[str, Any]:
    return orjson.loads(b"{" + each.fields(STAFF_VIEW if staff else PUBLIC_VIEW))


@pytest.mark.parametrize("state", ["held", "pending_approval", "confirmed", "blocked"])
def test_guests_can_not_tell_why_it_is_not_available(state: str) -> None:
    seen = fields(updated("available", state, reason="secret reason"), staff=False)
    assert (seen["previousState"], seen["newState"]) == ("available", "unavailable")
    assert seen["reason"] == ("closed for maintenance" if state == "blocked" else None)
    assert "bob" not in str(seen)
    assert "secret" not in str(seen)


def test_guests_see_nothing_of_what_is_held_back_but_that() -> None:
    event = updated("confirmed", "available", units_free=2, guests_cannot="held back")
    seen = fields(event, staff=False)
    assert (seen["previousState"], seen["newState"], seen["unitsFree"]) == ("unavailable", "unavailable", 0)
    assert seen["reason"] == "held back"
    seen = fields(event, staff=True)
    assert (seen["previousState"], seen["newState"], seen["unitsFree"]) == ("confirmed", "available", 2)


def test_guests_see_what_they_can_book_at_the_time() -> None:
    event = updated("confirmed", "available", units_free=2, guests_cannot="not now")
    assert fields(event, staff=True)["newState"] == "available"
    seen = fields(event, staff=False)
    assert (seen["newState"], seen["unitsFree"], seen["reason"]) == ("unavailable", 0, "not now")
    seen = fields(updated("confirmed", "available", units_free=2, guests_cannot=None), staff=False)
    assert (seen["newState"], seen["unitsFree"], seen["reason"]) == ("available", 2, None)


def test_staff_see_all_of_it() -> None:
    seen = fields(updated("held", "blocked", reason="the boiler"), staff=True)
    assert (seen["previousState"], seen["newState"], seen["reason"]) == ("held", "blocked", "the boiler")
    assert seen["actor"] == "staff:bob"


def test_both_transports_say_the_same() -> None:
    said = {
        "name": b'"a \\"b\\""',
        "viewer": STAFF_VIEW,
        "epoch": public_epoch(255, "0badcafe"),
        "cursor": "c",
    }
    block = frames.event_frame("sse", updated("held", "confirmed"), **said).decode()
    assert block.startswith("id: c\nevent: availability.updated\ndata: {")
    assert block.endswith("}\n\n")
    assert block.count("\n") == 4
    message = orjson.loads(frames.event_frame("ws", updated("held", "confirmed"), **said))
    assert message["data"] == orjson.loads(block.split("data: ")[1])
    assert {name: message[name] for name in ("op", "cursor", "channel", "epoch", "version", "type")} == {
        "op": "event", "cursor": "c", "channel": 'a "b"', "epoch": "000000ff-0badcafe", "version": 3,
        "type": "availability.updated",
    }  # fmt: skip


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_messages_are_framed_as_websockets_are(length: int) -> None:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame
    from websockets.protocol import State
    from websockets.uri import parse_uri

    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
    (data,) = outlets.WS_WIRE.pack([b"x" * length, b"y"])
    client.receive_data(data)
    assert [each.data for each in client.events_received() if isinstance(each, Frame)] == [
        b"x" * length,
        b"y",
    ]


def test_chunks_say_how_long_they_are() -> None:
    assert outlets.SSE_WIRE.pack([b"a" * 10, b"b" * 7]) == [b"11\r\n" + b"a" * 10 + b"b" * 7 + b"\r\n"]


def test_a_cursor_comes_back_as_it_was_given() -> None:
    position = 2**40
    assert parse_cursor(cursor_of(position, "0badcafe")) == (position, "0badcafe")


@pytest.mark.parametrize(
    "text", ["", "0badcafe", "0BADCAFE-1-1", "0badcafe-1-1\n", "0badcafe-ffffffffffffffff-1"]
)
def test_other_texts_are_no_cursors(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_cursor(text)


@pytest.mark.parametrize(
    ("origin", "host", "passes"),
    [
        (None, b"a.example", True),
        (b"https://a.example", b"a.example", True),
        (b"https://A.example", b"a.EXAMPLE", True),
        (b"http://a.example:8000", b"a.example:8000", True),
        (b"http://a.example", b"a.example:8000", False),
        (b"https://b.example", b"a.example", False),
        (b"https://a.example.evil.example", b"a.example", False),
        (b"https://evil.example/a.example", b"a.example", False),
        (b"null", b"a.example", False),
        (b"", b"", False),
        (b"https://[", b"[", False),
        (b"https://console.example", b"a.example", True),
        (b"http://console.example", b"a.example", False),
    ],
)
def test_who_may_connect_by_origin(origin: bytes | None, host: bytes, passes: bool) -> None:
    headers = {b"host": host} | ({} if origin is None else {b"origin": origin})
    allowed = origins(" https://console.example/ , ,https://other.example")
    if passes:
        check_origin(headers, allowed)
    else:
        with pytest.raises(Forbidden):
            check_origin(headers, allowed)
