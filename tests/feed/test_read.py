"""GET /events: everything in the order of positions, nothing left out, each tenant and venue its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from holdfast.event.emit import emit
from holdfast.event.model import SOURCE, Event
from holdfast.event.months import drop_months
from holdfast.feed import read
from holdfast.feed.read import CURSORS, FeedPosition
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House
from tests.event.writing import INSERT
from tests.job.conftest import Desk, made
from tests.job.test_purge import long_ago
from tests.processes import until


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
        (None, ["tenant.created", "venue.created", "test.one", "test.two", "other.one"]),
        ("test.", ["test.one", "test.two"]),
        ("test.two", ["test.two"]),
        ("test", []),
        ("test.on", []),
    ],
)
async def test_types(desk: Desk, house: House, wanted: str | None, found: list[str]) -> None:
    tenant = await desk.tenant_of(house)
    for kind in ("test.one", "test.two", "other.one", "mark.end"):
        await desk.emit(kind=kind, tenant_id=tenant)
    end = Poller(house, type="mark.end")
    await end.poll_until(1)
    poller = Poller(house, **({} if wanted is None else {"type": wanted}))
    await poller.poll()
    assert [event["event_type"] for event in poller.got if event["event_type"] != "mark.end"] == found


async def test_what_commits_late_holds_up_nobody_and_still_arrives(desk: Desk, house: House) -> None:
    """A transaction is held open while a thousand others commit: these come meanwhile, and it comes after them."""
    tenant = await desk.tenant_of(house)
    poller = Poller(house, limit=500, type="test.")
    early = await desk.emit(3, tenant_id=tenant)
    await poller.poll_until(3)
    others: list[Event] = []
    late = new_id()
    async with desk.another() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(INSERT, tenant, late)
        for number in range(1, 51):
            others += await desk.emit(20, tenant_id=tenant)
            if number % 10 == 0:
                assert (await poller.poll_until(3 + 20 * number))[3:] == ids(others)
        await transaction.commit()
    after = await desk.emit(1, tenant_id=tenant)
    assert await poller.poll_until(1_005) == [*ids(early), *ids(others), str(late), *ids(after)]
    assert await poller.poll() == 0


async def test_what_was_rolled_back_never_comes(desk: Desk, house: House) -> None:
    tenant = await desk.tenant_of(house)
    async with desk.another() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(INSERT, tenant, new_id())
        await transaction.rollback()
    marker = await desk.emit(1, tenant_id=tenant)
    assert await Poller(house, type="test.").poll_until(1) == ids(marker)


async def test_who_looks_for_what_is_rare_gets_it_page_by_page(
    desk: Desk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "READ_MAX", 5)
    monkeypatch.setattr(read, "SCANS_MAX", 2)
    tenant = await desk.tenant_of(house)
    rare: list[Event] = []
    for _ in range(4):
        await desk.emit(17, tenant_id=tenant)
        rare += await desk.emit(3, kind="rare.bird", tenant_id=tenant)
    assert await Poller(house, type="rare.", limit=2).poll_until(12) == ids(rare)


async def test_staff_of_some_venues_see_these(desk: Desk, house: House) -> None:
    tenant = await desk.tenant_of(house)
    await desk.emit(2, tenant_id=tenant)
    seen = await desk.emit(2, tenant_id=tenant, venue_id=UUID(house.venue_id))
    await desk.emit(2, tenant_id=tenant, venue_id=new_id())
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
        ({"after": CURSORS.cursor(FeedPosition("0123abcd", 2**63))}, "after"),
        ({"after": CURSORS.cursor(FeedPosition("no epoch", 1))}, "after"),
        ({"after": "MTIzLjQ1Ng"}, "after"),  # two numbers, as cursors once were
        ({"after": "x" * 201}, "after"),
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


async def refused(house: House, after: FeedPosition) -> str:
    """What is said about the cursor; with any, the way out."""
    answer = await house.client.get("/events", params={"after": CURSORS.cursor(after)}, headers=house.bob)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    [error] = answer.json()["errors"]
    assert error["field"] == "after"
    assert "leave `after` out to start with the oldest event" in answer.json()["detail"]
    return answer.json()["detail"]


async def place_of(poller: Poller) -> FeedPosition:
    await poller.poll()
    place = CURSORS.key(poller.after)
    assert place is not None
    return place


async def test_a_cursor_of_another_history_or_from_the_future_is_refused(house: House) -> None:
    """Positions mean other events after a restore: going on there would skip some or give them twice."""
    here = await place_of(Poller(house))
    other = f"{int(here.epoch, 16) ^ 1:08x}"
    for place in (here._replace(epoch=other), here._replace(epoch=other, position=0)):
        assert "before the database was restored or moved" in await refused(house, place)
    for ahead in (10_000, 2**63 - 1 - here.position):
        place = here._replace(position=here.position + ahead)
        assert "before the database was restored or moved" in await refused(house, place)
    goes_on = Poller(house)
    goes_on.after = CURSORS.cursor(here)
    assert await goes_on.poll() == 0


async def test_after_a_restore_whoever_begins_anew_gets_all_of_it(desk: Desk, house: House) -> None:
    made = await desk.emit(3, tenant_id=await desk.tenant_of(house))
    before = Poller(house, type="test.")
    await before.poll_until(3)
    await desk.owner.execute("UPDATE event_epoch SET drawn_in = 'elsewhere'")
    assert "restored or moved" in await refused(house, CURSORS.key(before.after) or FeedPosition("", 0))
    anew = Poller(house, type="test.")
    assert await anew.poll_until(3) == ids(made)
    assert await anew.poll() == 0


async def test_a_cursor_behind_which_events_are_gone(desk: Desk, house: House) -> None:
    tenant = await desk.tenant_of(house)
    for _ in range(6):
        await desk.db.run(SYSTEM, emit, [long_ago(made(tenant))])
    stale, polled = Poller(house, limit=2, type="test."), Poller(house, limit=2, type="test.")
    behind = await place_of(stale)
    await polled.poll_until(6)
    assert await desk.db.run(SYSTEM, drop_months, 1_000) == 6

    assert "is older than the 30 days" in await refused(house, behind)
    # Who had read all of it goes on, and so does who begins anew.
    new = await desk.emit(1, tenant_id=tenant)
    assert (await polled.poll_until(7))[-1:] == ids(new)
    assert await Poller(house, type="test.").poll_until(1) == ids(new)
