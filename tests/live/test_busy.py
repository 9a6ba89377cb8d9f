"""Snapshots while people book: each is of one moment, and whoever wrote sees it; whatever becomes of the cache."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.main.http.app import create_app
from holdfast.snapshot.cache import MemoryCache
from holdfast.snapshot.metrics import SNAPSHOTS
from tests.booking.asking import at
from tests.conftest import open_house_at
from tests.live.busy import Busy, busy_at, client_of
from tests.live.looking import look, states
from tests.processes import PATIENT_S, until
from tests.services import RedisServer
from tests.services import redis_server as redis_server


@asynccontextmanager
async def app_on(database_url: str, data_dir: Path, redis_url: str | None) -> AsyncIterator[FastAPI]:
    """An application of its own; with Redis it keeps nothing in memory, so that Redis is what is tested."""
    settings = Settings(
        database_url=database_url,
        data_dir=data_dir,
        pool_max=10,
        redis_url=redis_url,
        request_deadline_s=PATIENT_S,
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        if redis_url is not None:
            app.state.snapshots.memory = MemoryCache(entries_max=0)
        yield app


@asynccontextmanager
async def busy_on(
    database_url: str, data_dir: Path, issuer: DevIssuer, redis_url: str | None = None
) -> AsyncIterator[Busy]:
    async with app_on(database_url, data_dir, redis_url) as app, client_of(app) as client:
        yield await busy_at(app, await open_house_at(client, issuer))


@pytest.fixture(params=["memory", "redis"])
async def busy(
    request: pytest.FixtureRequest, database_url: str, data_dir: Path, issuer: DevIssuer
) -> AsyncIterator[Busy]:
    redis = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    async with busy_on(database_url, data_dir, issuer, redis) as made:
        yield made


@pytest.fixture
async def busy_redis(
    redis_server: RedisServer, database_url: str, data_dir: Path, issuer: DevIssuer
) -> AsyncIterator[Busy]:
    async with busy_on(database_url, data_dir, issuer, redis_server.url) as made:
        yield made


def from_cache() -> float:
    counted = {
        sample.labels["source"]: sample.value
        for metric in SNAPSHOTS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    return counted["memory"] + counted["redis"]


async def test_all_that_is_seen_is_of_one_moment(busy: Busy) -> None:
    before = from_cache()

    async def seen_from_the_cache() -> None:
        await busy.goes_on()

        async def some() -> bool:
            return from_cache() > before

        await until(some)

    await busy.run(seen_from_the_cache)
    await busy.check()


async def test_redis_that_is_killed_makes_it_slower_and_nothing_else(
    busy_redis: Busy, redis_server: RedisServer
) -> None:
    async def kill() -> None:
        await busy_redis.goes_on()
        redis_server.send(signal.SIGKILL)
        await busy_redis.goes_on()
        await asyncio.to_thread(redis_server.start)
        await busy_redis.goes_on()

    await busy_redis.run(kill)
    await busy_redis.check()


async def test_redis_that_comes_back_with_what_it_once_knew(
    busy_redis: Busy, redis_server: RedisServer, tmp_path: Path
) -> None:
    dump = redis_server.place / "dump.rdb"

    async def turn_back() -> None:
        await busy_redis.goes_on()
        assert redis_server.ask("SAVE").startswith(b"+OK")
        shutil.copy(dump, tmp_path)
        await busy_redis.goes_on()
        redis_server.send(signal.SIGKILL)
        shutil.copy(tmp_path / "dump.rdb", dump)
        await asyncio.to_thread(redis_server.start)
        assert redis_server.ask("DBSIZE") > b":0"
        await busy_redis.goes_on()

    await busy_redis.run(turn_back)
    await busy_redis.check()


async def test_redis_that_hangs(busy_redis: Busy, redis_server: RedisServer) -> None:
    async def hang() -> None:
        await busy_redis.goes_on()
        redis_server.send(signal.SIGSTOP)
        await busy_redis.goes_on()
        redis_server.send(signal.SIGCONT)
        await busy_redis.goes_on()

    await busy_redis.run(hang)
    await busy_redis.check()


async def test_redis_that_is_full(busy_redis: Busy, redis_server: RedisServer) -> None:
    async def fill() -> None:
        await busy_redis.goes_on()
        redis_server.ask("CONFIG", "SET", "maxmemory", "1")
        await busy_redis.goes_on()

    await busy_redis.run(fill)
    await busy_redis.check()


async def test_what_one_process_worked_out_the_other_finds_in_redis(
    busy_redis: Busy, redis_server: RedisServer, database_url: str, data_dir: Path
) -> None:
    async with app_on(database_url, data_dir, redis_server.url) as other, client_of(other) as client:
        there = replace(busy_redis.house, client=client)
        await look(there, {})  # so that it knows how far the channel is
        await busy_redis.house.booked(start=at("18:00"), resource_ids=busy_redis.house.ids("t1"))
        seen = await look(busy_redis.house, {})

        async def found_there() -> bool:
            before = from_cache()
            same = await look(there, {}) == seen
            return same and from_cache() == before + 1

        await until(found_there)


async def test_nothing_in_redis_says_who_booked(busy_redis: Busy, redis_server: RedisServer) -> None:
    house = busy_redis.house
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))

    async def kept() -> bytes | None:
        for who in ({}, house.bob):
            await look(house, who)
        keys = redis_server.ask("KEYS", "*")
        return keys if keys.startswith(b"*1") else None

    keys = await until(kept)
    value = redis_server.ask("GET", keys.split(b"\r\n")[2].decode())
    assert b'"unavailable"' in value
    assert b"bob" not in value


async def test_while_the_tail_is_lost_the_database_is_asked(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process commits then would not be heard of."""
    monkeypatch.setattr("holdfast.snapshot.freshness.LAG_S_MAX", 0.05)
    house, tail = busy.house, busy.app.state.hub.tail
    await look(house, {})
    await tail.stop()

    async def lost() -> bool:
        return tail.lag_s > 0.05

    await until(lost)
    before = from_cache()
    for _ in range(3):
        assert states(await look(house, {}))["T1"] == "available"
    assert from_cache() == before
