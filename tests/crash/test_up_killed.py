"""`holdfast up` under load, and parts of it killed: it comes back by itself, and nothing it said was untrue."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from bench.crowd import Answer, Client
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House, venue_document
from tests.databases import new_cluster
from tests.forks import run
from tests.processes import Running, children_of, reserved_port, running, send, until
from tests.wire import book, cancel, staff

CLIENTS = 16
TABLES = 60
DAYS = 250
SOAK_S = 600.0


@dataclass
class Load:
    """Honest clients: who gets no answer, a 503, or a 504 that leaves it open, asks again with the same key until it is
    answered.

    `booked`, `cancelled`: what was acknowledged, by key. `answers`: by status, 0 for none.
    """

    house: House
    port: int
    rng: random.Random
    booked: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[Answer] = field(default_factory=list)
    answered_at: float = 0.0
    longest_s: float = 0.0
    stopping: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))

    async def _client(self) -> None:
        rng, client = random.Random(self.rng.random()), Client(self.port)
        while not self.stopping:
            await self._visit(rng, client)
        client.close()

    async def _visit(self, rng: random.Random, client: Client) -> None:
        key, token = f"up-{new_id()}", staff(self.house)
        wanted = {"start": at(f"{rng.randrange(10, 22)}:00", rng.randrange(DAYS)), "duration_minutes": 60}
        if rng.random() < 0.5:
            wanted["resource_ids"] = self.house.ids(f"t{rng.randrange(TABLES):02}")
        answer = await self._answered(client, book(self.house, token=token, key=key, **wanted))
        if answer.status != 201:
            return
        booking = self.booked[key] = answer.json()
        if rng.random() < 0.3:
            answer = await self._answered(client, cancel(booking, token=token, key=key))
            if answer.status == 200:
                self.cancelled[key] = answer.json()

    async def _answered(self, client: Client, request: bytes) -> Answer:
        asked_at = time.monotonic()
        while True:
            answer = await client.ask(request)
            self.answers[answer.status] += 1
            if answer.status not in (0, 503, 504):
                break
            await asyncio.sleep(0.1)
        self.answered_at = time.monotonic()
        self.longest_s = max(self.longest_s, self.answered_at - asked_at)
        if answer.status not in (200, 201, 409):
            self.wrong.append(answer)
        return answer

    async def goes_on(self) -> None:
        """Bookings are acknowledged that were asked for after now."""
        asked_at, before = time.monotonic(), len(self.booked)

        async def some() -> bool:
            return self.answered_at > asked_at and len(self.booked) >= before + CLIENTS

        await until(some)


@dataclass
class Up:
    running: Running
    data_dir: Path
    postgres: EmbeddedPostgres

    def pids(self, victim: str) -> list[int]:
        """Those of the API, of the worker, of the postmaster, or of one of its children."""
        if victim in ("serve", "work"):
            found = children_of(self.running.pid).items()
            return [pid for pid, args in found if f"-m holdfast {victim}" in args]
        server = self.postgres.running()
        if server is None or victim == "postmaster":
            return [] if server is None else [server.pid]
        return random.choices(list(children_of(server.pid)) or [server.pid])

    async def kill(self, victim: str) -> None:
        async def there() -> list[int]:
            return self.pids(victim)

        send(signal.SIGKILL, *await until(there))


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    data_dir = tmp_path / "data"
    new_cluster(data_dir)
    postgres = EmbeddedPostgres(data_dir)
    try:
        with reserved_port() as port:
            options = ("up", "--data-dir", str(data_dir), "--port", str(port))
            async with running(*options, log=tmp_path / "up.log", port=port) as started:
                yield Up(started, data_dir, postgres)
    finally:
        postgres.stop()


@pytest.fixture
async def venue(up: Up) -> House:
    """A venue there, and who comes to it."""
    issuer = DevIssuer.load(up.data_dir)
    address = f"http://127.0.0.1:{up.running.port}/api/v1"
    async with httpx.AsyncClient(base_url=address, timeout=None) as http:
        admin = {"authorization": f"Bearer {issuer.mint(None, ['platform_admin'], 'root')}"}
        made = await http.post("/tenants", json={"slug": "nord", "name": "Nord"}, headers=admin)
        assert made.status_code == 201, made.text
        house = House("nord", {}, http, issuer.mint)
        tables = [
            {"slug": f"t{n:02}", "name": f"T{n}", "kind": "table", "seats_max": 4} for n in range(TABLES)
        ]
        await house.replace(venue_document(resources=tables))
    return house


STORED = """
    SELECT b.id::text, b.status, b.idempotency_key AS key,
           (SELECT count(*) FROM claim WHERE owner_id = b.id) AS claims
      FROM booking AS b
"""


async def _check(up: Up, load: Load) -> None:
    """Each acknowledged booking is there once, as it was acknowledged; the audit finds nothing."""
    server = up.postgres.running()
    assert server is not None
    owner = await asyncpg.connect(server.url())
    rows = await owner.fetch(STORED)
    await owner.close()
    stored = {row["key"]: (row["id"], row["status"], row["claims"]) for row in rows}
    assert len(stored) == len(rows), "one key, two bookings"
    told = {
        key: (booking["id"], "CANCELLED", 0) if key in load.cancelled else (booking["id"], "RESERVED", 1)
        for key, booking in load.booked.items()
    }
    assert stored == told, list(stored.items() ^ told.items())[:10]

    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    command = ["audit", "--json", "--data-dir", str(up.data_dir)]
    audited = await asyncio.to_thread(run, command, timeout_s=240, env=environ)
    assert audited.returncode == 0, audited
    assert json.loads(audited.stdout)["ok"] is True


async def _campaign(up: Up, load: Load, victims: list[str]) -> None:
    load.stopping = False
    running_load = asyncio.create_task(load.run())
    try:
        await load.goes_on()
        for victim in victims:
            await up.kill(victim)
            killed_at = time.monotonic()
            await load.goes_on()
            print(f"{victim} killed: bookings again after {time.monotonic() - killed_at:.1f} s")
            await asyncio.sleep(load.rng.uniform(0.0, 0.8))
    finally:
        load.stopping = True
        await running_load
    print("answers", dict(load.answers), "longest wait", round(load.longest_s, 1), "s")
    assert not load.wrong, load.wrong[:3]
    await _check(up, load)


async def test_all_that_was_acknowledged_is_there(up: Up, venue: House) -> None:
    seed = random.randrange(1_000_000)
    print("seed", seed)
    load = Load(venue, up.running.port, random.Random(seed))
    await _campaign(up, load, ["serve", "postmaster", "backend", "serve"])


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_all_that_was_acknowledged_is_there_after_many_kills(up: Up, venue: House) -> None:
    seed = random.randrange(1_000_000)
    print("seed", seed)
    load = Load(venue, up.running.port, random.Random(seed))
    until_ = time.monotonic() + SOAK_S
    while time.monotonic() < until_:
        await _campaign(up, load, load.rng.choices(["serve", "work", "postmaster", "backend"], k=10))
