"""Snapshots in Redis: shared by all processes, and never needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from holdfast.snapshot.cache import TTL_S, Entry
from holdfast.snapshot.freshness import Revision
from holdfast.snapshot.metrics import REDIS_FAILURES, REDIS_SECONDS

PREFIX = "holdfast:snapshot:1:"
OPERATION_S_MAX = 0.1
"""Connecting included."""
CONNECTIONS_MAX = 16
PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 10.0
BODY_BYTES_MAX = 4 * 1024 * 1024

log = structlog.get_logger(__name__)


class RedisCache:
    """The cache of all processes with the same `url` (redis://, rediss:// or unix://).

    Redis that is gone, hangs, is full or answers nonsense is as good as none: each wait is bounded, and after a
    failure it is left alone for a while (`CircuitBreaker`), for reading and for writing on its own.
    """

    def __init__(
        self,
        url: str,
        *,
        operation_s_max: float = OPERATION_S_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=operation_s_max,
            socket_timeout=operation_s_max,
            socket_connect_timeout=operation_s_max,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._redis = Redis.from_pool(pool)
        self._operation_s_max = operation_s_max
        self._clock = clock
        self._circuits = {"get": CircuitBreaker(clock), "put": CircuitBreaker(clock)}

    async def get(self, key: str) -> tuple[Entry, float] | None:
        """The entry, and the seconds it has left; None as well when Redis can't say."""
        answer = await self._try("get", lambda: self._read(PREFIX + key))
        if answer is None or answer[0] is None or answer[1] <= 0:
            return None
        entry = decoded(answer[0])
        return None if entry is None else (entry, min(answer[1] / 1000, TTL_S))

    async def put(self, key: str, entry: Entry) -> None:
        """Keeps the entry for TTL_S, if Redis can."""
        if len(entry.body) <= BODY_BYTES_MAX:
            await self._try(
                "put", lambda: self._redis.set(PREFIX + key, encoded(entry), px=int(TTL_S * 1000))
            )

    async def close(self) -> None:
        """Gives up its connections."""
        try:
            async with asyncio.timeout(self._operation_s_max):
                await self._redis.aclose()
        except (RedisError, OSError, TimeoutError) as error:
            log.info("redis_not_closed", error=type(error).__name__)

    async def _read(self, key: str) -> Any:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(key)
            pipe.pttl(key)
            return await pipe.execute()

    async def _try(self, operation: str, work: Callable[[], Awaitable[Any]]) -> Any:
        circuit = self._circuits[operation]
        if not circuit.may_try():
            return None
        began = self._clock()
        try:
            async with asyncio.timeout(self._operation_s_max):
                answer = await work()
        except (RedisError, OSError, TimeoutError) as error:
            REDIS_FAILURES.labels(operation, type(error).__name__).inc()
            pause_s = circuit.failed(began=began)
            if pause_s is not None:
                log.warning(
                    "redis_left_alone", operation=operation, error=type(error).__name__, seconds=pause_s
                )
            return None
        finally:
            REDIS_SECONDS.labels(operation).observe(self._clock() - began)
        if circuit.succeeded():
            log.info("redis_is_back", operation=operation)
        return answer


def encoded(entry: Entry) -> bytes:
    """An entry as it lies in Redis: a line about it, then the body."""
    revision = entry.revision
    return (
        f"{revision.epoch} {revision.version} {revision.rules_version} {entry.etag}\n".encode() + entry.body
    )


def decoded(value: bytes) -> Entry | None:
    """The entry; None if it is none of ours, or not whole: the digest in its ETag says so."""
    about, _, body = value.partition(b"\n")
    try:
        epoch, version, rules_version, etag = about.decode("ascii").split(" ")
        entry = Entry.of(Revision(epoch, int(version), int(rules_version)), body)
    except ValueError:
        return None
    return entry if entry.etag == etag else None


class CircuitBreaker:
    """Leaves alone what fails, for a time that grows.

    After a failure nothing is tried for PAUSE_S_MIN; then one attempt, and after each that fails twice the
    time as before, up to PAUSE_S_MAX. A success ends it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0
        self._closed_until = 0.0

    def may_try(self) -> bool:
        """Whether to go ahead; who does so says how it went by `succeeded` or `failed`."""
        if not self._failures:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        # Only this one: the others wait for what becomes of it, and not for ever if that is never said.
        self._closed_until = now + PAUSE_S_MIN
        return True

    def succeeded(self) -> bool:
        """True when it is back after failures."""
        was_failing, self._failures = self._failures > 0, 0
        return was_failing

    def failed(self, *, began: float) -> float | None:
        """How long it is left alone now, s; None for an attempt that began before the pause it is in: of
        those that were under way together, the first counts. `began`: by the circuit's clock."""
        if self._failures and began < self._failed_at:
            return None
        self._failures += 1
        self._failed_at = self._clock()
        pause_s = min(PAUSE_S_MIN * 2 ** min(self._failures - 1, 16), PAUSE_S_MAX)
        self._closed_until = self._failed_at + pause_s
        return pause_s
