"""Bookings of every kind, made as people make them. `special_requests` names each for the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from holdfast.booking import bind, due
from holdfast.claim import store as claims
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.ids import new_id
from tests.conftest import House, venue_document
from tests.waitlist.asking import answer, joined, promoted

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
ALL_DAY = [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "00:00", "close": "24:00"}]

SOLD = {
    "extras": [{"id": "shoes", "amount": "2.50", "stock": 4}],
    "discounts": [{"code": "SPRING", "percent": "10", "uses_max": 2}],
    "price_rules": [{"per": "hour", "amount": "20.00"}],
}


def at(hour: int, *, days: int = 0) -> str:
    return (TOMORROW + timedelta(days=days, hours=hour)).isoformat()


async def fill(client: httpx.AsyncClient, db: Database, issuer: DevIssuer) -> None:
    """Fills the database: first what has ended or is long past, then what lives."""
    paid = [{"per": "guest", "amount": "10.50"}]
    policy = {"slot_step_minutes": 15, "price_rules": paid, "tax_percent": "12", "buffer_after_minutes": 15}
    house = await open_house(client, issuer, policy=policy)
    stays = await open_house(client, issuer, policy={**policy, "auto_complete": False})
    await _past(house, stays, db)
    await _living(house)
    await _promised(client, issuer, db)
    await _sold(await open_house(client, issuer, policy=SOLD))
    await _changed(house)
    await _ordered(await open_house(client, issuer, policy=policy))
    await _keyed(house)
    await _blocked(await open_house(client, issuer, policy=policy))
    await _undecided(await open_house(client, issuer, policy={**policy, "lifecycle": "approval"}))
    await _unpaid(await open_house(client, issuer, policy={**policy, "lifecycle": "deposit"}))
    await _waiting(await open_house(client, issuer, policy=policy), db)


async def open_house(client: httpx.AsyncClient, issuer: DevIssuer, *, policy: dict[str, Any]) -> House:
    """A tenant with one venue, open day and night."""
    slug = f"nord-{new_id().hex[-10:]}"
    admin = {"authorization": f"Bearer {issuer.mint(None, ['platform_admin'], 'root')}"}
    await client.post("/tenants", json={"slug": slug, "name": "Nord"}, headers=admin)
    house = House(slug, {}, client, issuer.mint)
    await house.replace(venue_document(policy=policy, hours={"weekly": ALL_DAY}))
    return house


async def _past(house: House, stays: House, db: Database) -> None:
    """Time goes by: what nobody confirmed expires, who didn't come is a no-show, visits end."""
    await house.booked(start=at(10), hold=True, special_requests="expired")
    await house.booked(start=at(12), special_requests="no_show")
    for home, name in ((house, "completed"), (stays, "archived")):
        booking = await home.booked(start=at(14), special_requests=name)
        await step(home, booking, "CHECKED_IN")
    call = db.call(SYSTEM, now=TOMORROW + timedelta(days=30), deadline_s=None)
    assert await call.run(due.expire, 100) == 1
    assert await call.run(due.no_show, 100) == 1
    assert await call.run(due.complete, 100) == 1
    # That of a visit that nobody ended; the other was cleaned long ago.
    assert await call.run(claims.archive, before=TOMORROW + timedelta(days=30), limit=100) == 1


async def _promised(client: httpx.AsyncClient, issuer: DevIssuer, db: Database) -> None:
    """A hotel whose rooms are bound at check-in, a hall of two courts, and a counter."""
    hotel = await open_house(client, issuer, policy={"bind_group": "at_check_in"})
    rooms = [{"slug": slug, "kind": "room", "group": "double", "seats_max": 2} for slug in ("r1", "r2")]
    courts = [{"slug": slug, "kind": "facility"} for slug in ("c1", "c2")]
    hall = {"slug": "hall", "kind": "facility", "seats_max": 40, "parts": ["c1", "c2"]}
    counter = {"slug": "counter", "kind": "seat", "units": 8, "takes": "guests", "seats_max": 4}
    await hotel.replace({**hotel.document, "resources": [*rooms, *courts, hall, counter]})
    await hotel.booked(start=at(15), group="double", special_requests="promised")
    bound = await hotel.booked(start=at(15), group="double", special_requests="bound")
    await step(hotel, bound, "CHECKED_IN")
    await hotel.booked(start=at(15), resource_ids=hotel.ids("hall"), party_size=9, special_requests="hall")
    await hotel.booked(
        start=at(15), resource_ids=hotel.ids("counter"), party_size=3, special_requests="stools"
    )
    daily = await open_house(client, issuer, policy={"bind_group": "on_the_day"})
    await daily.replace({**daily.document, "resources": rooms})
    await daily.booked(start=at(15, days=2), group="double", special_requests="bound that day")
    assert (
        await db.call(SYSTEM, now=TOMORROW + timedelta(days=2), deadline_s=None).run(bind.bind_due, 100) == 1
    )


async def _sold(house: House) -> None:
    """Two visits at a time that share what there is of an extra and a code; and a stay."""
    taken = {"extras": [{"id": "shoes", "quantity": 2}], "discount_code": "SPRING"}
    await house.booked(start=at(10), resource_ids=house.ids("l1"), **taken, special_requests="sold")
    await house.booked(start=at(10), resource_ids=house.ids("t1"), **taken, special_requests="sold too")
    await house.booked(start=at(20), resource_ids=house.ids("t1"), extras=[{"id": "shoes", "quantity": 4}])
    await house.replace(
        {**house.document, "slug": "inn", "stay": {"check_in": "15:00", "check_out": "11:00"}}
    )
    day = (TOMORROW + timedelta(days=3)).date().isoformat()
    await house.booked(arrival=day, nights=2, resource_ids=house.ids("t2"), special_requests="stay")


async def _living(house: House) -> None:
    await house.booked(start=at(10), resource_ids=house.ids("t1"), special_requests="later")
    await house.booked(start=at(18), resource_ids=house.ids("t1"), special_requests="last")
    await house.booked(start=at(10), resource_ids=house.ids("l1"), special_requests="lane")
    await house.booked(start=at(10), resource_ids=house.ids("s1"), special_requests="section")
    await house.booked(start=at(10), resource_ids=house.ids("s1"), special_requests="neighbour")
    together = {"party_size": 6, "resource_ids": house.ids("t2", "t3")}
    await house.booked(start=at(10), **together, special_requests="together")
    held = await house.booked(house.gina, start=at(14), hold=True, special_requests="held")
    assert held["status"] == "HELD"
    converted = await house.booked(house.gina, start=at(16), hold=True, special_requests="converted")
    await step(house, converted, "RESERVED", headers=house.gina)
    confirmed = await house.booked(start=at(20), special_requests="confirmed")
    await step(house, confirmed, "CONFIRMED")
    for name in ("seated", "cleaned", "called away"):
        body = {"venue_id": house.venue_id, "party_size": 2, "special_requests": name}
        seated = await house.client.post("/walk-ins", json=body, headers=house.bob)
        assert seated.status_code == 201, seated.text
        if name != "seated":
            await step(house, seated.json(), "COMPLETED" if name == "cleaned" else "CANCELLED")


async def _ordered(house: House) -> None:
    """Twice the same section, and a table that was taken out again."""
    items = [
        {"resource_ids": house.ids("s1"), "party_size": 2},
        {"resource_ids": house.ids("s1"), "party_size": 3},
        {"resource_ids": house.ids("t2"), "party_size": 2},
    ]
    order = await house.booked(start=at(10, days=5), party_size=7, items=items, special_requests="order")
    path = f"/bookings/{order['id']}/items/{order['items'][2]['id']}/cancel"
    less = await house.client.post(path, json={"expected_version": 1}, headers=house.bob)
    assert less.status_code == 200, less.text


async def _changed(house: House) -> None:
    """Versions 1, 2 and 3: made, moved, and guest data changed under a key."""
    booking = await house.booked(start=at(10, days=2), special_requests="changed")
    path = f"/bookings/{booking['id']}"
    for version, change in (
        (1, {"start": at(12, days=2), "party_size": 1}),
        (2, {"guest_name": "Gina", "idempotency_key": "key of update"}),
    ):
        body = {**change, "expected_version": version}
        changed = await house.client.put(path, json=body, headers=house.bob)
        assert changed.status_code == 200, changed.text


async def _keyed(house: House) -> None:
    """Made, asked for again, cancelled, asked for again; and one that is refused for good."""
    wanted = {"start": at(10, days=3), "special_requests": "plain", "idempotency_key": "key of plain"}
    plain = [await house.booked(**wanted) for _ in range(2)]
    assert plain[0] == plain[1]
    booking = await house.booked(
        start=at(14, days=3), special_requests="cancelled", idempotency_key="key of create"
    )
    body = {"expected_version": 1, "reason": "rain", "idempotency_key": "key of cancel"}
    for _ in range(2):
        done = await house.client.post(f"/bookings/{booking['id']}/cancel", json=body, headers=house.bob)
        assert done.status_code == 200, done.text
    wanted = {"start": at(10), "party_size": 500, "idempotency_key": "key of refusal"}
    assert (await house.book(**wanted)).status_code == 400


async def _blocked(house: House) -> None:
    """A section every day but for the last, of which it was cancelled; and a lane, over a booking and a hold."""
    section = {"start": at(10, days=20), "end": at(12, days=20), "rrule": "FREQ=DAILY;COUNT=4"}
    daily = await block(house, "s1", reason="daily", **section)
    body = {"cancelled_from": (TOMORROW + timedelta(days=23)).date().isoformat(), "expected_version": 1}
    path = f"/chain/maintenance-blocks/{daily['id']}"
    cancelled = await house.client.patch(path, json=body, headers=house.bob)
    assert cancelled.status_code == 200, cancelled.text
    lane: dict[str, Any] = {"resource_ids": house.ids("l1")}
    await house.booked(start=at(10, days=20), **lane, special_requests="displaced")
    await house.booked(start=at(14, days=20), **lane, hold=True, special_requests="displaced hold")
    over = {"start": at(9, days=20), "end": at(18, days=20), "on_conflict": "displace"}
    displacing = await block(house, "l1", reason="over", idempotency_key="key of block", **over)
    assert len(displacing["displaced"]) == 2


async def block(house: House, slug: str, **wanted: Any) -> dict[str, Any]:
    body = {"venue_id": house.venue_id, "resource_ids": house.ids(slug), **wanted}
    made = await house.client.post("/chain/maintenance-blocks", json=body, headers=house.bob)
    assert made.status_code == 201, made.text
    return made.json()


async def _undecided(house: House) -> None:
    await house.booked(start=at(10), special_requests="undecided")
    approved = await house.booked(start=at(12), special_requests="approved")
    await step(house, approved, "CONFIRMED")


async def _unpaid(house: House) -> None:
    await house.booked(start=at(10), special_requests="unpaid")


async def _waiting(house: House, db: Database) -> None:
    """A queue of every kind of entry; `guest_name` names each."""
    await house.booked(start=at(10), special_requests="queued")
    for hour, name in enumerate(("accepted", "declined", "left", "offered", "waits"), start=12):
        taken = await house.booked(start=at(hour), end=at(hour + 1), resource_ids=house.ids("l1"))
        wanted: dict[str, Any] = {"resource_ids": house.ids("l1"), "duration_minutes": 30, "guest_name": name}
        entry = await joined(house, party_size=2, earliest=at(hour), latest=at(hour), **wanted)
        if name != "waits":
            await house.client.post(
                f"/bookings/{taken['id']}/cancel", json={"expected_version": 1}, headers=house.bob
            )
            assert await promoted(db, house) == 1
        if how := {"accepted": "accept", "declined": "decline", "left": "leave"}.get(name):
            assert (await answer(house, entry, how)).status_code == 200


async def step(
    house: House, booking: dict[str, Any], to: str, *, headers: dict[str, str] | None = None
) -> None:
    body = {"to": to, "expected_version": booking["version"]}
    path = f"/bookings/{booking['id']}/status"
    moved = await house.client.post(path, json=body, headers=house.bob if headers is None else headers)
    assert moved.status_code == 200, moved.text
