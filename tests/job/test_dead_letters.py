"""Dead letters over the API: managers see them and have them tried again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.conftest import House
from tests.processes import until

from .conftest import Desk, reaction


class Door:
    """A verb that fails while it is shut."""

    def __init__(self) -> None:
        self.is_open = False
        self.passed = 0

    async def __call__(self, tx: Tx, event: Event) -> None:
        if not self.is_open:
            raise RuntimeError("shut")
        self.passed += 1


async def buried(desk: Desk, house: House, door: Door, number: int = 1, **where: Any) -> list[Event]:
    """Events of the house that are dead letters of the reaction `door`."""
    desk.react(reaction("door", door))
    made = await desk.emit(number, tenant_id=await desk.tenant_of(house), **where)
    await run(desk, door)
    return made


async def run(desk: Desk, door: Door) -> None:
    async with desk.lane(reaction("door", door)):
        await until(desk.drained)


async def listed(client: httpx.AsyncClient, headers: dict[str, str], **query: Any) -> list[dict[str, Any]]:
    response = await client.get("/dead-letters", params=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def test_listed_looked_at_and_replayed(desk: Desk, house: House, client: httpx.AsyncClient) -> None:
    door = Door()
    [event] = await buried(desk, house, door)
    [letter] = await listed(client, house.alice)
    assert letter["event"]["id"] == str(event.id)
    assert letter["event"]["tenant"] == house.tenant
    assert letter["event"]["payload"] == {"n": 0}
    assert (letter["reaction"], letter["attempts"]) == ("door", 5)
    assert letter["error"] == "RuntimeError in __call__"
    assert letter["replayed_at"] is letter["delivered_at"] is None
    path = f"/dead-letters/{letter['id']}"
    assert (await client.get(path, headers=house.alice)).json() == letter

    door.is_open = True
    replayed = await client.post(f"{path}/replay", headers=house.alice)
    assert replayed.status_code == 202
    assert replayed.json()["replayed_by"] == "staff:alice"
    assert await listed(client, house.alice) == []
    await run(desk, door)
    assert door.passed == 1
    after = (await client.get(path, headers=house.alice)).json()
    assert after["delivered_at"] > after["replayed_at"]
    assert [each["id"] for each in await listed(client, house.alice, replayed=True)] == [letter["id"]]


async def test_replayed_twice_it_is_delivered_once(
    desk: Desk, house: House, client: httpx.AsyncClient
) -> None:
    door = Door()
    await buried(desk, house, door)
    [letter] = await listed(client, house.alice)
    door.is_open = True
    path = f"/dead-letters/{letter['id']}/replay"
    answers = [(await client.post(path, headers=house.alice)) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert await desk.count("job") == 1
    await run(desk, door)
    await client.post(path, headers=house.alice)
    assert await desk.count("job") == 0
    assert door.passed == 1


async def test_what_fails_again_is_the_same_dead_letter(
    desk: Desk, house: House, client: httpx.AsyncClient
) -> None:
    door = Door()
    await buried(desk, house, door)
    [before] = await listed(client, house.alice)
    await client.post(f"/dead-letters/{before['id']}/replay", headers=house.alice)
    await run(desk, door)
    [after] = await listed(client, house.alice)
    assert (after["id"], after["attempts"], after["replayed_at"]) == (before["id"], 5, None)
    assert after["dead_at"] > before["dead_at"]


async def test_the_newest_first_and_by_pages(desk: Desk, house: House, client: httpx.AsyncClient) -> None:
    made = [event for _ in range(3) for event in await buried(desk, house, Door())]
    first = await client.get("/dead-letters", params={"limit": 2}, headers=house.alice)
    rest = await client.get(
        "/dead-letters", params={"limit": 2, "cursor": first.json()["next"]}, headers=house.alice
    )
    got = first.json()["items"] + rest.json()["items"]
    assert [each["event"]["id"] for each in got] == [str(event.id) for event in reversed(made)]
    assert rest.json()["next"] is None
    bad = await client.get("/dead-letters", params={"cursor": "x"}, headers=house.alice)
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (400, "cursor")


async def test_nobody_else_finds_them(
    desk: Desk, house: House, charlie: dict[str, str], client: httpx.AsyncClient
) -> None:
    await buried(desk, house, Door())
    [letter] = await listed(client, house.alice)
    path = f"/dead-letters/{letter['id']}"
    elsewhere = house.headers("manager", subject="alice", venues=[str(new_id())])
    for headers, one, many in (
        (charlie, 404, 200),
        (elsewhere, 404, 200),
        (house.bob, 403, 403),
        (house.gina, 403, 403),
        ({}, 401, 401),
    ):
        assert (await client.get(path, headers=headers)).status_code == one
        assert (await client.post(f"{path}/replay", headers=headers)).status_code == one
        response = await client.get("/dead-letters", headers=headers)
        assert response.status_code == many
        assert many != 200 or response.json()["items"] == []
    assert await desk.count("job") == 0
    assert len(await listed(client, house.alice)) == 1


async def test_managers_of_some_venues_have_theirs(
    desk: Desk, house: House, client: httpx.AsyncClient
) -> None:
    await buried(desk, house, Door())
    [event] = await buried(desk, house, Door(), venue_id=house.venue_id)
    headers = house.headers("manager", subject="alice", venues=[house.venue_id])
    [letter] = await listed(client, headers)
    assert letter["event"]["id"] == str(event.id)
    assert (await client.get(f"/dead-letters/{letter['id']}", headers=headers)).status_code == 200


@pytest.mark.parametrize("id_", ["x", "00000000-0000-0000-0000-000000000000"])
async def test_what_is_not_there(house: House, client: httpx.AsyncClient, id_: str) -> None:
    status = 400 if id_ == "x" else 404
    assert (await client.get(f"/dead-letters/{id_}", headers=house.alice)).status_code == status
    assert (await client.post(f"/dead-letters/{id_}/replay", headers=house.alice)).status_code == status
