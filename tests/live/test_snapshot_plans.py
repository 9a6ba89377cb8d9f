"""Kept plans of what is asked about snapshots: by indexes, however large the tables are."""

from __future__ import annotations

import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.live import audit_store, snapshot_store
from tests.kernel.test_plans import plan


@pytest.mark.parametrize(
    ("sql", "indexes"),
    [
        (snapshot_store.READ, ["using channel_pkey", "on block", "on venue"]),
        (audit_store.EVENTS, ["in_commit_order on event"]),
    ],
    ids=["snapshot", "events"],
)
async def test_it_goes_by_indexes(db: Database, sql: str, indexes: list[str]) -> None:
    found = await db.run(SYSTEM, plan, sql)
    assert all(index in found for index in indexes), found
    assert not [word for word in ("Seq Scan", "Sort", "Hash") if word in found], found
