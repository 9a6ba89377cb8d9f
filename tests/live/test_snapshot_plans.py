"""Kept plans of what is asked about snapshots: by indexes, however large the tables are."""

from __future__ import annotations

import re

import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.live import store as live_store
from holdfast.snapshot import store
from tests.kernel.test_plans import plan


@pytest.mark.parametrize(
    ("sql", "indexes"),
    [
        (store.READ, ["using channel_pkey", "on block", "on venue", "booking_by_venue"]),
        (live_store.EVENTS, ["position_idx on event_log", "pkey on event"]),
    ],
    ids=["snapshot", "events"],
)
async def test_it_goes_by_indexes(db: Database, sql: str, indexes: list[str]) -> None:
    found = await db.run(SYSTEM, plan, sql)
    assert all(index in found for index in indexes), found
    found = found.replace("Seq Scan on event_epoch", "")  # one row
    found = found.replace("HashAggregate", "")  # who arrives at the same time
    assert "Seq Scan" not in found
    assert "Hash" not in found
    assert not re.search(r"^[ >-]*Sort *$", found, re.MULTILINE), found
