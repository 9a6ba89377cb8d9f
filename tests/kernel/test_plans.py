"""Kept plans: no statement asked all the time reads or sorts a whole table, however old its plan is."""

from __future__ import annotations

import re

import pytest

from holdfast.booking import queries, store
from holdfast.booking.finding import lists
from holdfast.claim import store as claims
from holdfast.event import read
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import idempotency
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.pacing import store as pacing

STATEMENTS = {
    "events": read.READ,
    "events_of_tenant": read.READ_OF_TENANT,
    "idempotency": idempotency.FIND,
    "of_venue": lists.OF_VENUE,
    "due": queries.DUE,
    "find": store.FIND,
    "by_reference": queries.FIND_REFERENCE,
    "history": queries.HISTORY,
    "arrived": pacing.ARRIVED,
    "archive": claims.ARCHIVE,
}


async def plan(tx: Tx, sql: str) -> str:
    """The plan that a connection of the application keeps for the statement."""
    values = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", sql)), default=0))
    await tx.execute(f"PREPARE looked_at AS {sql}")
    rows = await tx.fetch(f"EXPLAIN (COSTS OFF) EXECUTE looked_at {values and f'({values})'}")
    await tx.execute("DEALLOCATE looked_at")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_it_goes_by_an_index(db: Database, name: str) -> None:
    found = await db.run(SYSTEM, plan, STATEMENTS[name])
    assert "Index" in found
    assert "Seq Scan" not in found, found
    # Partitions are merged in the order of their indexes: that has a `Sort Key` and sorts nothing.
    assert not re.search(r"^[ >-]*(Incremental )?Sort *$", found, re.MULTILINE), found
