"""The optional cache of snapshots in Redis, shared by all processes."""

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

from holdfast.snapshot.cache import TTL_S, CachedSnapshot
from holdfast.snapshot.freshness import Revision
from holdfast.snapshot.metrics import REDIS_FAILURES, REDIS_SECONDS

PREFIX = "holdfast:snapshot:1:"
OPERATION_S_MAX = 0.1
"""Including the time to connect."""
CONNECTIONS_MAX = 16
PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 10.0
BODY_BYTES_MAX = 4 * 1024 * 1024

log = structlog.get_logger(__name__)


class RedisCache:
    """The cache of all processes with the same `url` (redis://, rediss:// or unix://).

    If Redis is down, hangs, is full or returns garbage, the cache acts as if it were empty. Every operation has a
    deadline, and a `CircuitBreaker` each for reads and writes skips Redis for a while after a failure.
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

    async def get(self, key: str) -> tuple[CachedSnapshot, float] | None:
        """Returns the entry and its remaining lifetime in seconds; None if it is missing or Redis fails."""
        answer = await self._try("get", lambda: self._read(PREFIX + key))
        if answer is None or answer[0] is None or answer[1] <= 0:
            return None
        entry = decoded(answer[0])
        return None if entry is None else (entry, min(answer[1] / 1000, TTL_S))

    async def put(self, key: str, entry: CachedSnapshot) -> None:
        """Stores the entry for TTL_S. Does nothing if Redis fails or the body is over BODY_BYTES_MAX."""
        if len(entry.body) <= BODY_BYTES_MAX:
            await self._try(
                "put", lambda: self._redis.set(PREFIX + key, encoded(entry), px=int(TTL_S * 1000))
            )

    async def close(self) -> None:
        """Closes the connection pool."""
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


def encoded(entry: CachedSnapshot) -> bytes:
    """Encodes an entry for Redis: one header line, then the body."""
    revision = entry.revision
    return (
        f"{revision.epoch} {revision.version} {revision.rules_version} {entry.etag}\n".encode() + entry.body
    )


def decoded(value: bytes) -> CachedSnapshot | None:
    """Decodes an entry; None if it is malformed or its body does not match the digest in its ETag."""
    about, _, body = value.partition(b"\n")
    try:
        epoch, version, rules_version, etag = about.decode("ascii").split(" ")
        entry = CachedSnapshot.of(Revision(epoch, int(version), int(rules_version)), body)
    except ValueError:
        return None
    return entry if entry.etag == etag else None


class CircuitBreaker:
    """A circuit breaker with exponential backoff.

    After a failure it opens for PAUSE_S_MIN. Then it lets one attempt through; each further failure doubles the pause,
    up to PAUSE_S_MAX. A success closes it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0
        self._closed_until = 0.0

    def may_try(self) -> bool:
        """Whether to attempt the operation. The caller must then report `succeeded` or `failed`."""
        if not self._failures:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        # Let only this attempt through. The pause ends by itself in case its outcome is never reported.
        self._closed_until = now + PAUSE_S_MIN
        return True

    def succeeded(self) -> bool:
        """Closes the circuit; returns True if it was open."""
        was_failing, self._failures = self._failures > 0, 0
        return was_failing

    def failed(self, *, began: float) -> float | None:
        """Opens the circuit; returns the pause in seconds.

        Returns None, and changes nothing, for an attempt that began before the last failure: of concurrent failures
        only the first counts. `began`: on the circuit's clock.
        """
        if self._failures and began < self._failed_at:
            return None
        self._failures += 1
        self._failed_at = self._clock()
        pause_s = min(PAUSE_S_MIN * 2 ** min(self._failures - 1, 16), PAUSE_S_MAX)
        self._closed_until = self._failed_at + pause_s
        return pause_s
