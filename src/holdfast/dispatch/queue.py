"""The queue of jobs: PGQueuer, bound to our schema and to our transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.ports.driver import Driver
from pgqueuer.queries import Queries
from pgqueuer.types import Channel

from holdfast.dispatch.reaction import Delivery
from holdfast.kernel.db import APP_ROLE
from holdfast.kernel.encode import encode
from holdfast.kernel.tx import Tx

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 5.0

# Every name is said, since the library would take those it is not told from variables such as CHANNEL.
SETTINGS = DBSettings(
    prefix="",
    db_schema="pgqueuer",
    channel=Channel("ch_pgqueuer"),
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.durable,
    widen_id=True,
)


def queries_on(driver: Driver) -> Queries:
    """The library's statements, on that connection or transaction."""
    return Queries(
        driver,
        qbe=QueryBuilderEnvironment(SETTINGS),
        qbq=QueryQueueBuilder(SETTINGS),
        qbs=QuerySchedulerBuilder(SETTINGS),
    )


ENQUEUE = QueryQueueBuilder(SETTINGS).build_enqueue_query()


async def enqueue(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    """Makes a job of each, which exists if the transaction commits."""
    count = len(deliveries)
    if count:
        await tx.execute(
            ENQUEUE,
            [0] * count,  # priority
            [each.reaction for each in deliveries],
            [payload_of(each) for each in deliveries],
            [timedelta(0)] * count,  # not before
            [None] * count,  # key against doubles: the cursor sees to that
            ["null"] * count,  # headers
        )


def payload_of(delivery: Delivery) -> bytes:
    """What the job holds: ids alone. Its entrypoint names the reaction."""
    return encode([delivery.tenant_id, delivery.event_id, delivery.venue_id])


def delivery_of(reaction: str, payload: bytes | None) -> Delivery:
    """The delivery that a job is for."""
    tenant_id, event_id, venue_id = orjson.loads(payload or b"[]")
    return Delivery(UUID(tenant_id), UUID(event_id), venue_id and UUID(venue_id), reaction)


@asynccontextmanager
async def own_connection(url: str) -> AsyncIterator[AsyncpgDriver]:
    """A connection for the library alone: it listens on it, and its statements are not made for the settings
    of the pool. A server that does not answer is an error after STATEMENT_TIMEOUT_S."""
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=STATEMENT_TIMEOUT_S,
        server_settings={
            "role": APP_ROLE,
            "application_name": "holdfast jobs",
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": str(round(STATEMENT_TIMEOUT_S * 1000)),
        },
    )
    try:
        yield AsyncpgDriver(connection)
    finally:
        connection.terminate()
