"""Server-sent events: who is told what, and who is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.booking.asking import DAY, at, cancel
from tests.conftest import House
from tests.live.conftest import bookings_channel, slot_channel, staff
from tests.live.reading import TTLS_S, Reader, connect, opened, versions
from tests.processes import Running

SLOTS = [
    {"id": "early", "name": "Early", "days": ["WE"], "start": "17:00", "minutes": 120},
    {"id": "late", "name": "Late", "days": ["WE", "SA"], "start": "20:00", "minutes": 120},
]


async def refused(stream: Reader, status: int, code: str) -> dict[str, Any]:
    assert stream.status == status
    body = await stream.body()
    stream.close()
    assert body["code"] == code
    return body


async def test_staff_are_told_who_did_what_to_which_table(api: Running, house: House) -> None:
    bob = await opened(api.port, slot_channel(house), token=staff(house))
    await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
    (frame,) = await bob.take(1)
    assert frame.event == "availability.updated"
    assert frame.data is not None
    epoch = frame.data.pop("epoch")
    assert len(epoch) == 17
    updated_at = datetime.fromisoformat(frame.data.pop("updatedAt"))
    assert timedelta() <= datetime.now(UTC) - updated_at < timedelta(seconds=30)
    assert frame.data == {
        "channel": slot_channel(house),
        "version": 1,
        "eventType": "availability.updated",
        "sectionId": house.resources["t1"],
        "slotId": "day",
        "date": DAY.isoformat(),
        "previousState": "available",
        "newState": "confirmed",
        "unitsFree": 0,
        "reason": "booking.created",
        "actor": "staff:bob",
    }
    bob.close()


@pytest.mark.parametrize("who", ["nobody", "gina", "charlie"])
async def test_others_are_told_only_whether_it_is_free(
    api: Running, house: House, charlie: dict[str, str], who: str
) -> None:
    tokens = {
        "nobody": None,
        "gina": house.gina["authorization"][7:],
        "charlie": charlie["authorization"][7:],
    }
    gina = await opened(api.port, slot_channel(house), token=tokens[who])
    await house.change_policy(hold_ttl_seconds=600)
    held = await house.booked(start=at("19:00"), resource_ids=house.ids("t1"), hold=True)
    reset, taken = await gina.take(2)
    assert reset.event == "reset"  # the rules of the venue changed
    assert taken.data is not None
    assert "actor" not in taken.data
    told = {name: taken.data[name] for name in ("previousState", "newState", "unitsFree", "reason")}
    assert told == {"previousState": "available", "newState": "unavailable", "unitsFree": 0, "reason": None}
    # From held to confirmed is nothing to them, but the version counts it.
    confirmed = await house.client.post(
        f"/bookings/{held['id']}/status", json={"to": "RESERVED", "expected_version": 1}, headers=house.bob
    )
    assert confirmed.status_code == 200, confirmed.text
    (same,) = await gina.take(1)
    assert same.data is not None
    assert (same.version, same.data["previousState"], same.data["newState"]) == (
        2,
        "unavailable",
        "unavailable",
    )
    gina.close()


async def test_bookings_are_told_to_staff_with_their_envelope(api: Running, house: House) -> None:
    bob = await opened(api.port, bookings_channel(house), token=staff(house))
    booking = await house.booked(start=at("19:00"))
    await cancel(house, booking)
    created, cancelled = await bob.take(2)
    assert [created.event, cancelled.event] == ["booking.created", "booking.cancelled"]
    assert versions([created, cancelled]) == [1, 2]
    assert created.data is not None
    assert created.data["event_type"] == "booking.created"
    assert created.data["actor"] == "staff:bob"
    assert created.data["payload"]["booking_id"] == booking["id"]
    assert created.data["payload"]["version"] == 1
    bob.close()


async def test_several_channels_come_in_the_order_of_commits(api: Running, house: House) -> None:
    names = [bookings_channel(house), slot_channel(house), slot_channel(house, days=7)]
    bob = await opened(api.port, *names, token=staff(house))
    for days in (0, 7, 0, 7):
        booking = await house.booked(start=at("19:00", days), resource_ids=house.ids("t1"))
        await cancel(house, booking)
    frames = await bob.take(16)
    ids = [tuple(int(part, 16) for part in str(frame.id).split("-")) for frame in frames]
    assert ids == sorted(ids)
    for name, count in zip(names, (8, 4, 4), strict=True):
        told = [frame for frame in frames if frame.data is not None and frame.data["channel"] == name]
        assert versions(told) == list(range(1, count + 1))
    bob.close()


async def test_a_channel_is_called_what_its_reader_calls_it(api: Running, house: House) -> None:
    by_slug, by_id = slot_channel(house), f"availability:{house.tenant}:{house.venue_id}:{DAY}:day"
    both = await opened(api.port, by_slug, by_id)
    await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
    frames = await both.take(2)
    assert {frame.data["channel"] for frame in frames if frame.data} == {by_slug, by_id}
    both.close()


async def test_the_answer_is_not_to_be_kept_or_held_up(api: Running, house: House) -> None:
    stream = await opened(api.port, slot_channel(house))
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-request-id"]
    stream.close()


async def test_only_staff_of_the_venue_hear_of_its_bookings(
    api: Running, house: House, charlie: dict[str, str]
) -> None:
    name = bookings_channel(house)
    await refused(await connect(api.port, name), 401, "UNAUTHENTICATED")
    gina = house.gina["authorization"][7:]
    body = await refused(await connect(api.port, name, token=gina), 403, "FORBIDDEN")
    assert body["needed_roles"] == ["staff"]
    await refused(await connect(api.port, name, token=charlie["authorization"][7:]), 404, "NOT_FOUND")
    elsewhere = house.mint(house.tenant, ["staff"], "bob", venues=["01900000-0000-7000-8000-000000000000"])
    await refused(await connect(api.port, name, token=elsewhere), 404, "NOT_FOUND")
    await refused(await connect(api.port, name, token="nonsense"), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("day", "slot", "said"),
    [
        ("2027-02-30", "day", "must be YYYY-MM-DD"),
        ("2027-1-2", "day", "must be YYYY-MM-DD"),
        ("1999-01-01", "day", "from "),
        ("2999-01-01", "day", "from "),
        (str(DAY), "late", "must be a slot that runs"),
        (str(DAY), "", "must be a slot that runs"),
    ],
)
async def test_there_is_no_end_of_names_but_of_channels(
    api: Running, house: House, owner: Any, day: str, slot: str, said: str
) -> None:
    name = f"availability:{house.tenant}:osteria:{day}:{slot}"
    body = await refused(await connect(api.port, name), 400, "INVALID_REQUEST")
    assert said in body["detail"]
    assert await owner.fetchval("SELECT count(*) FROM channel WHERE venue_id = $1", house.venue_id) == 0


@pytest.mark.parametrize(
    "name",
    ["", "x", "availability:a:b", "chain.bookings.a", "chain.bookings.a.b.c", "availability:" + "a" * 400],
)
async def test_a_name_that_can_not_be_one_is_refused(api: Running, name: str) -> None:
    body = await refused(await connect(api.port, name), 400, "INVALID_REQUEST")
    assert "chain.bookings" in body["detail"]


async def test_venues_that_are_not_there_are_not_found(api: Running, house: House) -> None:
    for tenant, venue in (
        (house.tenant, "nowhere"),
        ("nobody", "osteria"),
        ("nobody", house.venue_id),
        ("a\0b", "osteria"),
        ("01900000-0000-7000-8000-000000000000", house.venue_id),
    ):
        stream = await connect(api.port, f"availability:{tenant}:{venue}:{DAY}:day")
        await refused(stream, 404, "NOT_FOUND")


async def test_a_stream_names_1_to_50_channels(api: Running, house: House) -> None:
    body = await refused(await connect(api.port), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "channel"
    many = [slot_channel(house, days=n) for n in range(51)]
    await refused(await connect(api.port, *many), 400, "INVALID_REQUEST")
    fifty = await opened(api.port, *many[:50])
    await house.booked(start=at("19:00", 49), resource_ids=house.ids("t1"))
    (frame,) = await fifty.take(1)
    assert frame.data is not None
    assert frame.data["channel"] == many[49]
    fifty.close()


async def test_each_slot_has_a_channel_of_its_own(api: Running, open_house: Any) -> None:
    house = await open_house(slots=SLOTS)
    early = await opened(api.port, slot_channel(house, slot="early"))
    late = await opened(api.port, slot_channel(house, slot="late"))
    await house.booked(start=at("20:30"), resource_ids=house.ids("t1"), duration_minutes=60)
    await late.take(1)
    await house.booked(start=at("17:00"), resource_ids=house.ids("t2"), duration_minutes=60)
    (only,) = await early.take(1)
    assert only.data is not None
    assert only.data["sectionId"] == house.resources["t2"]
    early.close()
    late.close()


async def test_browsers_give_the_token_in_the_address(api: Running, house: House) -> None:
    bob = await opened(api.port, bookings_channel(house), query_token=staff(house))
    await house.booked(start=at("19:00"))
    await bob.take(1)
    bob.close()
    both = await connect(api.port, slot_channel(house), token=staff(house), query_token=staff(house))
    await refused(both, 400, "INVALID_REQUEST")
    assert staff(house)[:40] not in api.log.read_text()


async def test_a_stream_ends_when_its_token_does(api: Running, house: House) -> None:
    gina = await opened(api.port, slot_channel(house))
    for ttl_s in TTLS_S:
        short = house.mint(house.tenant, ["staff"], "bob", ttl_s=ttl_s)
        bob = await connect(api.port, bookings_channel(house), token=short)
        if bob.status == 200:
            break
    while (frame := await bob.next()) is not None:
        assert frame.event is None
    await refused(await connect(api.port, bookings_channel(house), token=short), 401, "UNAUTHENTICATED")
    await house.booked(start=at("19:00"))
    await gina.take(1)
    gina.close()
