"""The caches: the same of both, and what each bounds."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.snapshot import redis_cache
from holdfast.snapshot.cache import TTL_S, CachedSnapshot, MemoryCache
from holdfast.snapshot.freshness import Revision
from holdfast.snapshot.redis_cache import (
    PAUSE_S_MAX,
    PAUSE_S_MIN,
    PREFIX,
    CircuitBreaker,
    RedisCache,
    decoded,
    encoded,
)
from tests.processes import PATIENT_S, until
from tests.services import RedisServer
from tests.services import redis_server as redis_server


def entry(version: int = 1, body: bytes = b'{"sections":[]}') -> CachedSnapshot:
    return CachedSnapshot.of(Revision("0000abcd-12345678", version, 1), body)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def ticking(self) -> float:
        """Whatever comes later is later, and no pause is ever over by itself."""
        self.now += 1e-6
        return self.now


class Memory:
    """The cache of the process, asked as the shared one is."""

    def __init__(self) -> None:
        self.cache = MemoryCache()

    async def get(self, key: str) -> tuple[CachedSnapshot, float] | None:
        found = self.cache.get(key)
        return None if found is None else (found, TTL_S)

    async def put(self, key: str, value: CachedSnapshot) -> None:
        self.cache.put(key, value)


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[RedisCache]:
    cache = RedisCache(redis_server.url, operation_s_max=PATIENT_S)
    yield cache
    await cache.close()


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Any:
    return Memory() if request.param == "memory" else request.getfixturevalue("redis")


async def test_what_was_put_is_found_as_it_was(cache: Any) -> None:
    assert await cache.get("a") is None
    await cache.put("a", entry())
    found, left_s = await cache.get("a")
    assert found == entry()
    assert 0 < left_s <= TTL_S
    assert await cache.get("b") is None


async def test_the_later_one_counts(cache: Any) -> None:
    await cache.put("a", entry(1))
    await cache.put("a", entry(2))
    assert (await cache.get("a"))[0].revision.version == 2


def test_the_etag_is_another_for_whatever_is_other() -> None:
    one = entry()
    others = [
        entry(2),
        entry(body=b"{}"),
        CachedSnapshot.of(Revision("0000abcd-99999999", 1, 1), one.body),
        CachedSnapshot.of(Revision(one.revision.epoch, 1, 2), one.body),
    ]
    assert len({one.etag, *(each.etag for each in others)}) == 5
    assert one.etag.startswith('"')


# Memory.


def test_memory_keeps_it_for_so_long() -> None:
    clock = Clock()
    cache = MemoryCache(clock=clock)
    cache.put("a", entry())
    clock.now += TTL_S - 0.01
    assert cache.get("a") == entry()
    clock.now += 0.02
    assert cache.get("a") is None
    assert (len(cache), cache.size) == (0, 0)


def test_memory_keeps_so_many_and_lets_go_of_what_was_asked_for_longest_ago() -> None:
    cache = MemoryCache(entries_max=2)
    cache.put("a", entry())
    cache.put("b", entry())
    assert cache.get("a")
    cache.put("c", entry())
    assert (cache.get("a") is not None, cache.get("b"), cache.get("c") is not None) == (True, None, True)


def test_memory_keeps_so_many_bytes() -> None:
    cache = MemoryCache(bytes_max=10_000)
    for number in range(20):
        cache.put(str(number), entry(body=b"x" * 1_000))
        assert cache.size <= 10_000
    assert 0 < len(cache) < 10
    cache.put("large", entry(body=b"x" * 20_000))
    assert (len(cache), cache.size) == (0, 0)


# Redis.


async def test_redis_has_it_for_so_long_under_our_prefix(
    redis: RedisCache, redis_server: RedisServer
) -> None:
    await redis.put("a", entry())
    left_ms = int(redis_server.ask("PTTL", PREFIX + "a").strip(b":\r\n"))
    assert 0 < left_ms <= TTL_S * 1000


@pytest.mark.parametrize("value", ["nonsense", "e 1 1", "e x 1 tag"])
async def test_what_is_not_ours_is_not_there(
    redis: RedisCache, redis_server: RedisServer, value: str
) -> None:
    assert redis_server.ask("SET", PREFIX + "a", f"'{value}'", "PX", "5000").startswith(b"+OK")
    assert await redis.get("a") is None


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_half_an_entry_is_none(cut: int) -> None:
    assert decoded(encoded(entry())) == entry()
    assert decoded(encoded(entry())[:-cut]) is None


async def test_a_list_in_its_place_is_a_failure_like_any_other(
    redis: RedisCache, redis_server: RedisServer
) -> None:
    redis_server.ask("RPUSH", PREFIX + "a", "1")
    assert await redis.get("a") is None


async def test_redis_that_is_gone_is_as_good_as_none_and_found_again(redis_server: RedisServer) -> None:
    now = [0.0]
    cache = RedisCache(redis_server.url, clock=lambda: now[0])
    await cache.put("a", entry())
    redis_server.send(signal.SIGKILL)
    for _ in range(50):
        assert await cache.get("a") is None
        await cache.put("a", entry())
    # While the pause lasts each is tried once, and then left alone.
    assert [each._failures for each in cache._circuits.values()] == [1, 1]
    redis_server.start()

    async def is_back() -> bool:
        now[0] += 60.0
        await cache.put("a", entry())
        return await cache.get("a") is not None

    await until(is_back)
    await cache.close()


async def test_redis_that_hangs_is_waited_for_once(redis: RedisCache, redis_server: RedisServer) -> None:
    await redis.put("a", entry())
    clock = Clock()
    cache = RedisCache(redis_server.url, clock=clock.ticking)
    redis_server.send(signal.SIGSTOP)
    assert await asyncio.gather(*(cache.get("a") for _ in range(100))) == [None] * 100
    assert await cache.get("a") is None
    assert cache._circuits["get"]._failures == 1
    redis_server.send(signal.SIGCONT)

    async def is_back() -> Any:
        clock.now += 60.0
        return await cache.get("a")

    assert (await until(is_back))[0] == entry()
    await cache.close()


async def test_redis_that_is_full_still_answers_what_it_has(
    redis: RedisCache, redis_server: RedisServer
) -> None:
    await redis.put("a", entry())
    redis_server.ask("CONFIG", "SET", "maxmemory", "1")
    redis_server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    await redis.put("b", entry())
    assert await redis.get("b") is None
    assert (await redis.get("a")) is not None


async def test_nothing_there_from_the_start(tmp_path: Any) -> None:
    cache = RedisCache(f"unix://{tmp_path}/none.sock")
    assert await cache.get("a") is None
    await cache.put("a", entry())
    await cache.close()


async def test_too_large_an_entry_is_not_sent(redis: RedisCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache, "BODY_BYTES_MAX", 10)
    await redis.put("a", entry(body=b"x" * 11))
    assert await redis.get("a") is None


# The circuit.


def test_a_circuit_waits_longer_after_each_failure_and_lets_one_try() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    assert circuit.may_try()
    pauses = []
    for _ in range(12):
        pauses.append(circuit.failed(began=clock.now))
        assert not circuit.may_try()
        clock.now += pauses[-1]
        assert circuit.may_try()
        assert not circuit.may_try()
    assert pauses[:3] == [PAUSE_S_MIN, 2 * PAUSE_S_MIN, 4 * PAUSE_S_MIN]
    assert pauses[-1] == PAUSE_S_MAX
    assert circuit.succeeded()
    assert circuit.may_try()
    assert not circuit.succeeded()


def test_failures_at_the_same_time_count_once() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    began = clock.now
    clock.now += 0.1
    assert circuit.failed(began=began) == PAUSE_S_MIN
    assert circuit.failed(began=began) is None
    clock.now += PAUSE_S_MIN
    assert circuit.may_try()


def test_an_attempt_that_never_ends_does_not_keep_it_shut() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    circuit.failed(began=clock.now)
    clock.now += PAUSE_S_MIN
    assert circuit.may_try()
    clock.now += PAUSE_S_MIN
    assert circuit.may_try()
