"""GET /events: everything in commit order, nothing left out, each tenant and venue its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from holdfast.dispatch import feed
from holdfast.dispatch.purge import EVENTS_KEPT_DAYS, purge_events
from holdfast.kernel.events import SOURCE, Event, Position

from holdfast.kernel.actor import SYSTEM
from tests.booking.asking import at
from tests.conftest import House
from tests.processes import until

from .conftest import INSERT, Desk


class Poller:
    """Somebody who polls, and keeps what came."""

    def __init__(self, house: House, headers: dict[str, str] | None = None, **query: Any) -> None:
        self.house, self.headers, self.query = house, headers or house.bob, query
        self.after: str | None = None
        self.got: list[dict[str, Any]] = []

    async def poll(self) -> int:
        query = self.query | ({} if self.after is None else {"after": self.after})
        response = await self.house.client.get("/events", params=query, headers=self.headers)
        assert response.status_code == 200, response.text
        body = response.json()
        self.after = body["next"]
        self.got += body["items"]
        return len(body["items"])

    async def poll_until(self, count: int) -> list[str]:
        """The ids of what came, as soon as that is so many."""

        async def has_all() -> bool:
            await self.poll()
            return len(self.got) >= count

        await until(has_all)
        return [event["id"] for event in self.got]


def ids(events: list[Event]) -> list[str]:
    return [str(event.id) for event in events]


async def test_the_envelope(desk: Desk, house: House) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    booking = await house.booked(house.bob | {"traceparent": parent}, start=at("18:00"), guest_name="Ada")
    poller = Poller(house, type="booking.created")
    await poller.poll_until(1)
    [event] = poller.got
    assert event["payload"]["booking_id"] == booking["id"]
    assert "Ada" not in str(event)
    row = await desk.owner.fetchrow("SELECT id, created_at FROM event WHERE event_type = 'booking.created'")
    assert row is not None
    assert {key: value for key, value in event.items() if key != "payload"} == {
        "id": str(row["id"]),
        "event_type": "booking.created",
        "timestamp": row["created_at"].isoformat().replace("+00:00", "Z"),
        "source": SOURCE,
        "version": "1.0",
        "tenant": house.tenant,
        "venue_id": house.venue_id,
        "actor": "staff:bob",
        "traceparent": parent,
    }


async def test_pages_follow_one_another_and_then_what_comes_later(desk: Desk, house: House) -> None:
    tenant = await desk.tenant_of(house)
    poller = Poller(house, limit=2, type="test.")
    early = await desk.emit(5, tenant_id=tenant)
    assert await poller.poll_until(5) == ids(early)
    assert await poller.poll() == 0
    assert poller.after
    late = await desk.emit(3, tenant_id=tenant)
    assert await poller.poll_until(8) == ids(early + late)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, ["test.one", "test.two", "other.one"]),
        ("test.", ["test.one", "test.two"]),
        ("test.two", ["test.two"]),
        ("test", []),
        ("test.on", []),
    ],
)
async def test_types(desk: Desk, house: House, wanted: str | None, found: list[str]) -> None:
    tenant = await desk.tenant_of(house)
    await desk.owner.execute("DELETE FROM event")
    for kind in ("test.one", "test.two", "other.one", "mark.end"):
        await desk.emit(kind=kind, tenant_id=tenant)
    end = Poller(house, type="mark.end")
    await end.poll_until(1)
    poller = Poller(house, **({} if wanted is None else {"type": wanted}))
    await poller.poll()
    assert [event["event_type"] for event in poller.got if event["event_type"] != "mark.end"] == found


async def test_what_commits_late_still_arrives_and_in_its_place(desk: Desk, house: House) -> None:
    """One transaction is held open while others commit: to read on past it would be to lose it."""
    tenant = await desk.tenant_of(house)
    poller = Poller(house, limit=500, type="test.")
    early = await desk.emit(3, tenant_id=tenant)
    await poller.poll_until(3)
    others: list[Event] = []
    async with desk.another() as slow:
        transaction = slow.transaction()
        await transaction.start()
        late = await slow.fetchval(INSERT, tenant, "test.late")
        for _ in range(50):
            others += await desk.emit(20, tenant_id=tenant)
            assert await poller.poll() == 0
        await transaction.commit()
    assert await poller.poll_until(1_004) == [*ids(early), late, *ids(others)]


async def test_who_looks_for_what_is_rare_gets_it_page_by_page(
    desk: Desk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SCAN_MAX", 5)
    monkeypatch.setattr(feed, "SCANS_MAX", 2)
    tenant = await desk.tenant_of(house)
    rare: list[Event] = []
    for _ in range(4):
        await desk.emit(17, tenant_id=tenant)
        rare += await desk.emit(3, kind="rare.bird", tenant_id=tenant)
    assert await Poller(house, type="rare.", limit=2).poll_until(12) == ids(rare)


async def test_staff_of_some_venues_see_these(desk: Desk, house: House) -> None:
    tenant = await desk.tenant_of(house)
    await desk.emit(2, tenant_id=tenant)
    seen = await desk.emit(2, tenant_id=tenant, venue_id=house.venue_id)
    await desk.emit(2, tenant_id=tenant, venue_id=str(tenant))
    headers = house.headers("staff", subject="bob", venues=[house.venue_id])
    assert await Poller(house, headers, type="test.").poll_until(2) == ids(seen)
    assert len(await Poller(house, type="test.").poll_until(6)) == 6


async def test_another_tenant_sees_nothing_and_the_platform_says_which(
    desk: Desk, house: House, charlie: dict[str, str], client: httpx.AsyncClient
) -> None:
    tenant = await desk.tenant_of(house)
    made = await desk.emit(2, tenant_id=tenant)
    await Poller(house, type="test.").poll_until(2)
    theirs = await client.get("/events", params={"type": "test."}, headers=charlie)
    assert theirs.json()["items"] == []
    theirs = await client.get("/events", params={"tenant": house.tenant}, headers=charlie)
    assert (theirs.status_code, theirs.json()["code"]) == (404, "NOT_FOUND")

    root = {"authorization": f"Bearer {house.mint(None, ['platform_admin'], 'root')}"}
    assert (await client.get("/events", headers=root)).status_code == 400
    assert await Poller(house, root, tenant=house.tenant, type="test.").poll_until(2) == ids(made)


@pytest.mark.parametrize(("who", "status"), [("gina", 403), (None, 401)])
async def test_staff_only(house: House, client: httpx.AsyncClient, who: str | None, status: int) -> None:
    headers = getattr(house, who) if who else {}
    assert (await client.get("/events", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "abc"}, "after"),
        ({"after": "ä"}, "after"),
        ({"after": ""}, "after"),
        ({"after": feed.cursor_of(Position(2**64, 0))}, "after"),
        ({"after": feed.cursor_of(Position(2**62, 0))}, "after"),  # of a database that has seen more
        ({"type": "Booking.*"}, "type"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
    ],
)
async def test_bad_queries_say_what_would_be_right(
    house: House, client: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    response = await client.get("/events", params=query, headers=house.bob)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_REQUEST")
    assert response.json()["errors"][0]["field"] == field


async def test_a_cursor_behind_which_events_are_gone(
    desk: Desk, house: House, client: httpx.AsyncClient
) -> None:
    tenant = await desk.tenant_of(house)
    old = await desk.emit(6, tenant_id=tenant)
    first = Poller(house, limit=2, type="test.")
    await first.poll()
    await Poller(house, type="test.").poll_until(6)
    stale, polled = Poller(house, limit=2, type="test."), first
    await stale.poll()
    while await polled.poll():
        pass
    days = timedelta(days=EVENTS_KEPT_DAYS + 1)
    await desk.owner.execute("UPDATE event SET written_at = now() - $1::interval", days)
    await desk.dispatch_all([])
    assert await desk.db.run(SYSTEM, purge_events, 1_000) >= 6

    refused = await client.get("/events", params={"after": stale.after}, headers=house.bob)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST")
    assert "leave `after` out" in refused.json()["detail"]
    # Who had read all of it goes on, and so does who begins anew.
    new = await desk.emit(1, tenant_id=tenant)
    assert (await polled.poll_until(7))[-1:] == ids(new)
    assert await Poller(house, type="test.").poll_until(1) == ids(new)
    assert len(old) == 6
