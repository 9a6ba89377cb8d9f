"""Cached plans: every statement on blocks uses an index, however old its plan is."""

from __future__ import annotations

import pytest

from holdfast.block import store
from holdfast.booking import displace
from holdfast.claim import store as claims
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from tests.kernel.test_plans import plan

STATEMENTS = {
    "save": (store.SAVE, "block_id_is_unique"),
    "find": (store.FIND, "block_id_is_unique"),
    "get_for_update": (store.GET_FOR_UPDATE, "block_id_is_unique"),
    "history": (store.HISTORY, "block_history_pkey"),
    "of_venue": (store.OF_VENUE, "block_by_venue"),
    "reaching_into": (store.REACHING_INTO, "block_by_venue"),
    "of_ids": (store.OF_IDS, "block_id_is_unique"),
    "owners": (displace.OF_OWNERS, "booking_id_is_unique"),
    "drop": (claims.DROP, "claim_pkey"),
    "still_of": (claims.STILL_OF, "claim_pkey"),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_it_goes_by_its_index(db: Database, name: str) -> None:
    sql, index = STATEMENTS[name]
    found = await db.run(SYSTEM, plan, sql)
    assert index in found
    assert "Seq Scan" not in found
    if name != "save":  # numbers its one event
        assert "Sort" not in found
