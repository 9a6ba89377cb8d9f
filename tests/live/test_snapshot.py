"""GET of a slot's availability."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from holdfast.booking import due
from holdfast.kernel.db.database import Database
from tests.booking.asking import DAY, at, cancel, instant, refused, tenant_id, tick
from tests.booking.conftest import owner as owner
from tests.conftest import House
from tests.live.looking import SLOTS, ask, block, counting, look, path, section, states
from tests.processes import until

DAYS = {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]}


def utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


async def test_all_active_resources_in_their_order_with_what_one_chooses_by(house: House) -> None:
    seen = await look(house, {})
    assert [each["name"] for each in seen["sections"]] == ["T1", "T2", "T3", "L1", "S1"]
    assert section(seen, "T1") == {
        "sectionId": house.resources["t1"],
        "name": "T1",
        "kind": "table",
        "zone": "window",
        "state": "available",
        "seatsMin": 1,
        "seatsMax": 2,
        "unitsFree": 1,
        "priceFrom": "0.00",
        "currency": "SEK",
        "bookableFrom": utc(instant("10:00") - timedelta(days=365)),
        "bookableUntil": utc(instant("21:30")),
    }
    assert section(seen, "S1")["unitsFree"] == 10
    assert seen["channel"] == f"availability:{house.tenant}:osteria:{DAY}:day"
    assert (seen["date"], seen["slotId"], seen["version"]) == (DAY.isoformat(), "day", 0)
    epoch, _, history = seen["epoch"].partition("-")
    assert (len(epoch), len(history)) == (8, 8)


async def test_inactive_and_removed_resources_are_left_out(house: House) -> None:
    await look(house)
    headers = house.alice
    for slug, change in (("t1", {"active": False}), ("t2", None)):
        url = f"/resources/{house.resources[slug]}"
        if change:
            answer = await house.client.patch(url, json={"expected_version": 1, **change}, headers=headers)
        else:
            answer = await house.client.delete(url, params={"expected_version": 1}, headers=headers)
        assert answer.is_success, answer.text
    assert states(await look(house)).keys() == {"L1", "S1", "T3"}


async def test_staff_see_all_states_and_who_changed_them(app: FastAPI, house: House) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t2"), hold=True)
    await block(app, house, "t3")
    seen = await look(house)
    assert states(seen) == {
        "L1": "available",
        "S1": "available",
        "T1": "confirmed",
        "T2": "held",
        "T3": "blocked",
    }
    assert section(seen, "T1")["changedBy"] == "staff:bob"
    assert section(seen, "T2")["changedBy"] == "guest:gina"
    assert section(seen, "T3")["reason"] == "the pipe of Mr Holm burst"
    assert section(seen, "T1")["unitsFree"] == 0
    assert "changedBy" not in section(seen, "L1")
    assert [name for name in states(seen) if "reason" in section(seen, name)] == ["T3"]


@pytest.mark.parametrize("who", ["anonymous", "gina", "charlie"])
async def test_others_see_what_is_available_and_nothing_else(
    app: FastAPI, house: House, charlie: dict[str, str], who: str
) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t2"), hold=True)
    await block(app, house, "t3")
    headers = {"anonymous": {}, "gina": house.gina, "charlie": charlie}[who]
    response = await ask(house, headers)
    assert states(response.json()) == {"L1": "available", "S1": "available"} | dict.fromkeys(
        ("T1", "T2", "T3"), "unavailable"
    )
    for told in ("changedBy", "staff", "gina", "Holm", "blocked", "held", "confirmed"):
        assert told not in response.text
    assert section(response.json(), "T3")["reason"] == "closed for maintenance"
    assert response.headers["cache-control"] == "no-cache"


async def test_what_waits_for_approval_is_hidden_from_guests(open_house: Any) -> None:
    house = await open_house(policy={"lifecycle": "approval"})
    answer = await house.book(house.gina, start=at("18:00"), resource_ids=house.ids("t1"))
    assert answer.json()["status"] == "PENDING_APPROVAL"
    assert states(await look(house))["T1"] == "pending_approval"
    assert states(await look(house, {}))["T1"] == "unavailable"


async def test_units_are_counted(house: House) -> None:
    for _ in range(3):
        await house.booked(start=at("18:00"), resource_ids=house.ids("s1"))
    assert section(await look(house), "S1")["unitsFree"] == 7
    assert section(await look(house, {}), "S1")["unitsFree"] == 7


async def test_what_is_shown_free_can_be_booked_and_who_moves_is_not_told_of(open_house: Any) -> None:
    """Two halves on two units leave one for the whole slot; that it is booked is all that is told."""
    section_of_two = {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 2}
    house: House = await open_house(slots=[each | DAYS for each in SLOTS], resources=[section_of_two])
    start, middle, end = at("20:00"), at("21:00"), at("22:00")
    await look(house, slotId="late")
    whole = await house.booked(start=start, end=end, resource_ids=house.ids("s1"))
    await house.booked(start=middle, end=end, resource_ids=house.ids("s1"))
    await cancel(house, whole)
    await house.booked(start=start, end=middle, resource_ids=house.ids("s1"))
    seen = await look(house, slotId="late")
    assert (section(seen, "S1")["state"], section(seen, "S1")["unitsFree"]) == ("available", 1)
    await house.booked(start=start, end=end, resource_ids=house.ids("s1"))
    after = await look(house, slotId="late")
    assert (section(after, "S1")["state"], section(after, "S1")["unitsFree"]) == ("confirmed", 0)
    assert after["version"] == seen["version"] + 1


async def test_a_slot_is_taken_by_what_overlaps_it_with_its_buffers(open_house: Any) -> None:
    house = await open_house(slots=[each | DAYS for each in SLOTS])
    buffers = {"expected_version": 1, "buffer_after_minutes": 15}
    t3 = f"/resources/{house.resources['t3']}"
    assert (await house.client.patch(t3, json=buffers, headers=house.alice)).is_success
    await house.booked(start=at("16:00"), end=at("17:00"), resource_ids=house.ids("t1"))
    await house.booked(start=at("19:00"), end=at("20:00"), resource_ids=house.ids("t2"))
    await house.booked(start=at("19:00"), end=at("20:00"), resource_ids=house.ids("t3"))
    free = dict.fromkeys(("L1", "S1", "T1", "T2", "T3"), "available")
    assert states(await look(house, slotId="early")) == free | {"T3": "confirmed"}
    assert states(await look(house, slotId="late")) == free | {"T3": "confirmed"}


async def test_prices_are_of_the_slot_for_the_smallest_party(open_house: Any) -> None:
    rules = [{"per": "guest", "amount": "95.50", "zones": ["window"]}, {"per": "hour", "amount": "120"}]
    slots = [each | DAYS for each in SLOTS]
    house = await open_house(slots=slots, policy={"price_rules": rules, "default_duration_minutes": 60})
    seen = await look(house, slotId="early")
    assert (section(seen, "T1")["priceFrom"], section(seen, "T3")["priceFrom"]) == ("95.50", "240.00")
    house = await open_house(policy={"price_rules": rules, "default_duration_minutes": 60})
    assert section(await look(house), "T3")["priceFrom"] == "120.00"


async def test_versions_count_what_changed(house: House) -> None:
    before = await look(house)
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    between = await look(house)
    await cancel(house, booking)
    after = await look(house)
    assert [each["version"] for each in (before, between, after)] == [0, 1, 2]
    assert before["epoch"] == between["epoch"] == after["epoch"]
    assert states(after)["T1"] == "available"


async def test_a_hold_that_lapses_is_seen_to_go(db: Database, house: House, owner: Any) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"), hold=True)
    assert states(await look(house))["T1"] == "held"
    await tick(db, await tenant_id(owner, house), due.expire, now=instant("09:00"))

    # Another pool did that, as another process would: it is seen when the tail has told.
    async def is_free() -> bool:
        return states(await look(house))["T1"] == "available"

    await until(is_free)


# Names.


async def test_tenant_and_venue_by_slug_or_id(house: House, owner: Any) -> None:
    tenant = str(await tenant_id(owner, house))
    seen = await look(house)
    for names in (
        {"tenant": tenant},
        {"venue": house.venue_id},
        {"tenant": tenant, "venue": house.venue_id},
    ):
        assert await look(house, **names) == seen


async def test_the_other_address_is_the_same(house: House) -> None:
    seen = await house.client.get(f"http://holdfast.test/v1{path(house)}", headers=house.bob)
    assert seen.status_code == 200
    assert seen.json() == await look(house)


async def test_venues_that_are_not_there(house: House, open_house: Any) -> None:
    other = await open_house()
    for names in (
        {"tenant": "nobody"},
        {"venue": "nowhere"},
        {"tenant": str(uuid4())},
        {"venue": str(uuid4())},
        {"tenant": other.tenant, "venue": house.venue_id},
        {"tenant": str(uuid4()), "venue": house.venue_id},
    ):
        refused(await ask(house, **names), 404, "NOT_FOUND")


async def test_the_slot_is_named_where_the_day_has_several(open_house: Any) -> None:
    house = await open_house(slots=[each | DAYS for each in SLOTS])
    problem = refused(await ask(house), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "slotId"
    assert "early, late" in problem["detail"]
    problem = refused(await ask(house, slotId="day"), 400, "INVALID_REQUEST")
    assert "early, late" in problem["detail"]
    one = await open_house(slots=[SLOTS[0] | {"days": ["WE"]}])
    assert (await look(one))["slotId"] == "early"
    tomorrow = (DAY + timedelta(days=1)).isoformat()
    refused(await ask(one, date=tomorrow), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "day",
    ["", "today", "2027-02-30", "20270106", "2027-1-6", "2027-01-06T00:00", "1730000000", "\0", "٢٠٢٧-01-06"],
)
async def test_a_day_is_a_date(house: House, day: str) -> None:
    problem = refused(await ask(house, date=day), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "date"


async def test_only_days_that_people_plan_for(house: House) -> None:
    for days, status in ((-2, 400), (-1, 200), (700, 200), (740, 400)):
        today = datetime.now(UTC).astimezone(ZoneInfo("Europe/Stockholm")).date()
        answer = await ask(house, date=(today + timedelta(days=days)).isoformat())
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("name", ["%00", "a%00b", "x" * 64, "%F0%9F%A6%86"])
async def test_names_that_can_be_none(house: House, name: str) -> None:
    for url in (f"/clubs/{name}/venues/osteria", f"/clubs/{house.tenant}/venues/{name}"):
        answer = await house.client.get(f"{url}/availability", params={"date": DAY.isoformat()})
        assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("slot_id", ["%00", "night", "x" * 64, ""])
async def test_slots_that_there_are_not(house: House, slot_id: str) -> None:
    answer = await house.client.get(f"{path(house)}&slotId={slot_id}")
    refused(answer, 400, "INVALID_REQUEST")


# ETags.


async def test_what_the_client_has_is_not_sent_again(house: House) -> None:
    first = await ask(house)
    etag = first.headers["etag"]
    for header in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        again = await ask(house, {"if-none-match": header})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == "no-cache"
    assert (await ask(house, {"if-none-match": '"x"'})).status_code == 200
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    changed = await ask(house, {"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_views_have_etags_of_their_own(house: House) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    guest, staff = await ask(house), await ask(house, house.bob)
    assert guest.headers["etag"] != staff.headers["etag"]
    assert staff.headers["cache-control"] == "private, no-cache"
    assert (await ask(house, {"if-none-match": staff.headers["etag"]})).status_code == 200
    assert guest.headers["vary"] == "Authorization"


async def test_rules_that_change_are_seen_at_once(house: House) -> None:
    etag = (await ask(house)).headers["etag"]
    await house.change_policy(price_rules=[{"per": "booking", "amount": "50"}])
    seen = await ask(house, {"if-none-match": etag})
    assert seen.status_code == 200
    assert section(seen.json(), "T1")["priceFrom"] == "50.00"


# What it costs.


async def test_looking_again_asks_the_database_nothing(app: FastAPI, house: House) -> None:
    await app.state.hub.tail.caught_up()
    for who in (house.bob, {}):
        seen = await look(house, who)
        with counting(app) as ran:
            assert await look(house, who) == seen
        assert ran == []


async def test_looking_after_a_change_asks_it_once(app: FastAPI, house: House) -> None:
    await app.state.hub.tail.caught_up()
    await look(house)
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    with counting(app) as ran:
        await look(house)
        await look(house)
    assert ran == ["snapshot"]


async def test_opening_a_channel_twice_is_opening_it_once(house: House, owner: Any) -> None:
    seen = await asyncio.gather(*(look(house, {} if n % 2 else house.bob) for n in range(10)))
    assert len({each["epoch"] for each in seen}) == 1
    count = "SELECT count(*) FROM channel WHERE venue_id = $1 AND name <> 'bookings'"
    assert await owner.fetchval(count, UUID(house.venue_id)) == 1


async def test_a_block_that_is_given_another_reason_says_so_at_once(app: FastAPI, house: House) -> None:
    """That has no version on the channel: the states stay what they are."""
    id_ = await block(app, house, "t3")
    await app.state.hub.tail.caught_up()
    before = await look(house)
    body = {"expected_version": 1, "reason": "still wet"}
    answer = await house.client.patch(f"/chain/maintenance-blocks/{id_}", json=body, headers=house.alice)
    assert answer.status_code == 200, answer.text
    await app.state.hub.tail.caught_up()
    assert (await look(house, {}))["version"] == before["version"]  # by which the version is known again
    after = await look(house)
    assert after["version"] == before["version"]
    assert section(after, "T3")["reason"] == "still wet"


async def test_so_many_reads_at_once_and_no_more(
    app: FastAPI, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.state.hub.tail.caught_up()
    await look(house, {})
    monkeypatch.setattr("holdfast.snapshot.snapshots.WAIT_S_MAX", 0.05)
    monkeypatch.setattr(app.state.snapshots, "_at_once", asyncio.Semaphore(0))
    await look(house, {})  # that is kept, and waits for nobody
    refused(await ask(house, house.bob), 503, "OVERLOADED")
