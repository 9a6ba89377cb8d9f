"""Every statement uses an index."""

from __future__ import annotations

import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.series import store
from tests.kernel.test_plans import plan


@pytest.mark.parametrize("name", ["FIND", "MEMBERS", "SAVE", "OF_VENUE"])
async def test_it_goes_by_an_index(db: Database, name: str) -> None:
    found = await db.run(SYSTEM, plan, getattr(store, name))
    assert "Index" in found
    assert "Seq Scan" not in found
    assert "Sort" not in found
