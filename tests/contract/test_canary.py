"""Personal data, tokens and secrets are sent in every way there is, also in requests that are refused and
that fail; then all that must not have them is searched: log lines, metrics, events, refusals.

Everything sent that nobody else may see has CANARY in it. What is a guest's own booking has it too, of course.
A refusal may name a field that does not exist, and repeat a wrong value of one that is not about a person.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server
from tests.booking.asking import at
from tests.conftest import House
from tests.processes import PATIENT_S, stop

from .sending import (
    BODIES,
    CANARY,
    DETAILS,
    GUEST,
    TOKENS,
    Sender,
    what_is_blocked,
    what_repeats_and_waits,
)
from .served import Api, served


@pytest.fixture(scope="module")
async def api(server: Server, data_dir: Path, issuer: DevIssuer) -> AsyncIterator[Api]:
    async with served(server, data_dir, issuer, database="canary", log_level="DEBUG") as api:
        yield api


@pytest.fixture
async def owner(api: Api) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(api.database_url)
    yield connection
    await connection.close()


async def what_is_done(sender: Sender, house: House) -> None:
    """All that works: a booking's life, a walk-in, a repeated request, lists, an import."""
    made = await sender.book(start=at("18:00"), resource_ids=house.ids("t1"), **DETAILS)
    assert made.status_code == 201
    assert CANARY in made.text
    booking = f"/bookings/{made.json()['id']}"
    await sender.send("GET", booking)
    await sender.send("GET", f"{booking}/history")
    changed = {"expected_version": 1, "guest_name": "Kanarie II", "special_requests": "kanarie cake"}
    assert (await sender.send("PUT", booking, json=changed)).status_code == 200
    step = {"expected_version": 2, "to": "CHECKED_IN", "reason": "kanarie came", "metadata": {"a": "kanarie"}}
    assert (await sender.send("POST", f"{booking}/status", json=step)).status_code == 200
    cancelled = {"expected_version": 3, "reason": "kanarie is ill"}
    assert (await sender.send("POST", f"{booking}/cancel", json=cancelled)).status_code == 200
    held = await sender.book(house.gina, start=at("20:00"), hold=True)
    assert held.status_code == 201
    walk_in = {"venue_id": house.venue_id, "party_size": 2, **DETAILS}
    await sender.send("POST", "/walk-ins", json=walk_in)
    for path in (
        f"/bookings/venue/{house.venue_id}",
        "/bookings/guest/kanarie",
        "/venues?token=kanarie",
    ):
        await sender.send("GET", path)


async def what_is_refused(sender: Sender, house: House) -> None:
    """All codes of refusals that guest data can come with."""
    table = {"resource_ids": house.ids("t2"), "start": at("18:00")}
    assert (await sender.book(**table, **DETAILS)).status_code == 201
    for who in (None, house.gina, house.headers("guest", subject="mallory"), {}):
        assert (await sender.book(who, **table)).status_code == 409
    for wanted in (
        {"start": at("03:00")},
        {"start": at("18:07")},
        {"start": "2020-01-01T12:00:00Z"},
        {"start": at("18:00", 2000)},
        {"start": at("18:00"), "party_size": 50},
        {},
        {"start": at("18:00"), "party_size": 0},
        {"start": at("18:00"), "guest_id": "kanarie", "booking_date": "2027-01-01"},
        {"start": at("18:00"), "password": "kanarie"},
        {"start": at("18:00"), "colour": "kanarie"},
        {"start": at("18:00"), "metadata": {"kanarie": "kanarie" * 1000}},
        {"start": at("18:00"), "preferences": {"colour": {"a": "kanarie"}}},
        {"start": at("18:00"), "venue_id": "01890a5d-ac96-774b-bcce-b302099a8057"},
    ):
        assert (await sender.book(**wanted)).status_code in (400, 404), wanted
    for name, length in (
        ("guest_name", 201),
        ("guest_email", 255),
        ("guest_phone", 41),
        ("special_requests", 2001),
    ):
        long = "kanarie".ljust(length, "x")
        assert (await sender.book(start=at("18:00"), **{name: long})).status_code == 400
        assert (await sender.book(start=at("18:00"), **{name: "kanarie\0"})).status_code == 400
        assert (await sender.book(start=at("18:00"), **{name: ["kanarie"]})).status_code == 400
    for who in (house.gina, {}):
        assert (await sender.book(who, start=at("18:00"), internal_notes="kanarie")).status_code == 403
        assert (await sender.book(who, start=at("18:00"), guest_id="kanarie")).status_code == 403


async def what_is_not_read(sender: Sender, house: House) -> None:
    """Tokens and bodies that are none, and paths that lead nowhere."""
    for token, path in itertools.product(TOKENS, ("/bookings", "/venues", "/nowhere/kanarie")):
        answer = await sender.send("POST", path, {"authorization": token}, json=GUEST)
        assert answer.status_code == 401
    real = house.bob["authorization"]
    for token in (real + CANARY, real.replace(".", "." + CANARY, 1)):
        assert (await sender.send("GET", "/venues", {"authorization": token})).status_code == 401
    venue = house.venue_id
    for raw, path in itertools.product(
        BODIES,
        (
            "/bookings",
            "/walk-ins",
            "/bookings/availability/check",
            "/series",
            "/waitlist",
            "/chain/maintenance-blocks",
            "/venues/import",
            f"/venues/{venue}/resources",
        ),
    ):
        json = {"content-type": "application/json"}
        answer = await sender.send("POST", path, house.alice, content=raw, headers=json)
        assert answer.status_code == 400, (path, raw, answer.text)
    await sender.send("POST", "/bookings", content=b"kanarie" * 40_000)
    await sender.send("DELETE", "/nowhere?password=kanarie")
    await sender.send("DELETE", "/bookings?password=kanarie", json=GUEST)


async def what_fails(sender: Sender, owner: asyncpg.Connection) -> None:
    """The database says no in ways nobody foresaw, and quotes the guest when it does."""
    quoting = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no room' USING DETAIL = NEW.guest_email, HINT = NEW.guest_name; END $$"""
    harms = {
        "ALTER TABLE booking ADD CONSTRAINT unheard_of CHECK (guest_name IS NULL) NOT VALID": (
            "DROP CONSTRAINT unheard_of"
        ),
        f"{quoting}; CREATE TRIGGER refuse BEFORE INSERT ON booking FOR EACH ROW EXECUTE FUNCTION refuse()": (
            "DISABLE TRIGGER refuse"
        ),
        "ALTER TABLE booking RENAME guest_email TO mail": "RENAME mail TO guest_email",
    }
    for harm, remedy in harms.items():
        await owner.execute(harm)
        assert (await sender.book(start=at("21:00"), **DETAILS)).status_code == 500
        await owner.execute(f"ALTER TABLE booking {remedy}")


async def no_http(port: int) -> None:
    """What is not even HTTP."""
    for raw in (
        b"kanarie\r\n\r\n",
        b"GET /kanarie HTTP/9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: kanarie\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        await asyncio.wait_for(reader.read(), PATIENT_S)
        writer.close()


async def test_what_is_private_stays_private(api: Api, owner: asyncpg.Connection) -> None:
    house = await api.house()
    sender = Sender(house)
    await what_is_done(sender, house)
    await what_repeats_and_waits(sender, house)
    await what_is_blocked(sender, house)
    await what_is_refused(sender, house)
    await what_is_not_read(sender, house)
    await what_fails(sender, owner)
    await no_http(api.process.port)
    assert sender.statuses() >= {400, 401, 403, 404, 405, 409, 413, 500}

    metrics = (await api.client.get(f"{api.url}/metrics")).text
    assert "holdfast_http_requests_total" in metrics
    events = [_told(row) for row in await owner.fetch("SELECT * FROM event")]
    assert len(events) >= 5
    assert {"series.created", "waitlist.joined", "block.created"} <= {kind for kind, _ in events}
    # It writes the last lines when it ends.
    await stop(api.process)
    log = api.process.log.read_text()
    assert log.count('"event":"request"') > 100
    assert "request_failed" in log
    log += (api.process.log.parent / "postgres.log").read_text()
    tokens = [each["authorization"].split()[1] for each in (house.alice, house.bob, house.gina)]

    found = [line for line in log.splitlines() if _is_private(line, tokens)]
    found += [line for line in metrics.splitlines() if _is_private(line, tokens)]
    found += [row for _, row in events if _is_private(row, tokens)]
    found += [str(each.json()) for each in sender.refused if _is_private(_without_path(each), tokens)]
    assert not found, "\n".join(each[:600] for each in found[:20])


def _told(event: asyncpg.Record) -> tuple[str, str]:
    """Its type, and all that is in it but the reason of a block: that is in there to be read by staff."""
    kind = event["event_type"]
    payload = json.loads(event["payload"])
    if kind.startswith("block.") or kind == AVAILABILITY_UPDATED:
        payload.pop("reason")
    return kind, str({**event, "payload": payload})


def _is_private(text: str, tokens: list[str]) -> bool:
    # A token's signature, since the rest is the same in many of them.
    signatures = [each.rpartition(".")[2] for each in tokens]
    return CANARY in text.casefold() or any(each in text for each in signatures)


def _without_path(answer: httpx.Response) -> str:
    # `instance` is the path that was asked: by contract.
    problem = answer.json()
    told = {name: value for name, value in problem.items() if name != "instance"}
    return str(told) + str(answer.headers)
