"""An API and four workers on a database of their own. They are real processes, and some workers are killed."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from bench.crowd import Answer, Client
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server
from tests.conftest import House, open_house_at
from tests.databases import new_database
from tests.processes import PATIENT_S, Running, serving, start, stop, until

WORKERS = 4
_databases = itertools.count(1)

SETTLED = "SELECT NOT EXISTS (SELECT FROM job)"
IN_HAND = "SELECT count(*) FROM job WHERE leased_until IS NOT NULL"


@dataclass
class Crew:
    """The processes. `kills`: the number of leased jobs, of all workers, at the time of each kill."""

    url: str
    place: Path
    api: Running
    http: httpx.AsyncClient
    owner: asyncpg.Connection
    issuer: DevIssuer
    workers: list[Running] = field(default_factory=list)
    kills: list[int] = field(default_factory=list)

    async def house(self, **document: object) -> House:
        return await open_house_at(self.http, self.issuer, **document)

    async def ask(self, requests: Sequence[bytes], *, at_once: int = 8) -> list[Answer]:
        """Sends the requests in order, with `at_once` clients, and returns the answers in the same order."""
        answers: list[Answer] = [Answer(0, 0.0)] * len(requests)
        left = iter(enumerate(requests))

        async def one() -> None:
            client = Client(self.api.port)
            try:
                for number, request in left:
                    answers[number] = await client.ask(request)
            finally:
                client.close()

        await asyncio.gather(*(one() for _ in range(at_once)))
        return answers

    def employ(self, number: int) -> Running:
        """Starts a new worker in place of this one."""
        log = self.place / f"work-{number}.log"
        settings = {"database_url": self.url, "data_dir": self.place, "unsafe_database": 1}
        return start("work", log=log, request_deadline_s=PATIENT_S, **settings)

    async def kill_some(self, dice: random.Random, times: int, *, pause_s_max: float) -> None:
        """Kills workers one after another, after random pauses, and starts another one in place of each."""
        order = [n % WORKERS for n in range(times)]
        dice.shuffle(order)
        for number in order:
            await asyncio.sleep(dice.uniform(0, pause_s_max))
            await until(self._in_hand)
            in_hand = await self.owner.fetchval(IN_HAND)
            await self.workers[number].kill()
            self.kills.append(in_hand)
            self.workers[number] = self.employ(number)

    async def _in_hand(self) -> bool:
        return await self.owner.fetchval(IN_HAND) > 0

    async def settled(self, *, within_s: float = 300) -> None:
        """Waits until all jobs are done."""
        for worker in self.workers:
            assert worker.process.poll() is None, worker.log.read_text()[-2000:]

        async def is_settled() -> bool:
            return await self.owner.fetchval(SETTLED)

        await until(is_settled, within_s=within_s)

    async def audited(self) -> None:
        """Checks that `holdfast audit` finds nothing and there are no dead letters."""
        running = start(
            "audit",
            log=self.place / "audit.log",
            database_url=self.url,
            data_dir=self.place,
            unsafe_database=1,
        )
        assert await asyncio.to_thread(running.process.wait, 300) == 0, running.log.read_text()[-3000:]
        assert await self.owner.fetchval("SELECT count(*) FROM dead_letter") == 0


@asynccontextmanager
async def crew_on(server: Server, place: Path) -> AsyncIterator[Crew]:
    """A new database with an API and WORKERS workers, all of which are stopped at the end of the block."""
    url = await new_database(server, f"crew_{next(_databases)}")
    owner = await asyncpg.connect(url)
    async with (
        serving(url, place) as api,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{api.port}/api/v1", timeout=None) as http,
    ):
        crew = Crew(url, place, api, http, owner, DevIssuer.load(place))
        try:
            crew.workers += [crew.employ(number) for number in range(WORKERS)]
            yield crew
        finally:
            await asyncio.gather(*map(stop, crew.workers))
            await owner.close()
