"""Fixtures of the tests that plan series without HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.engine import Engine
from holdfast.kernel.db.database import Database
from tests.conftest import House
from tests.engines import engine_over
from tests.waitlist.floor import document, tables


@pytest.fixture
def engine(db: Database) -> Engine:
    return engine_over(db)


@pytest.fixture
async def floor(open_house: Any) -> House:
    """Twelve joined tables."""
    return await open_house(**document(tables(12), max_advance_days=400))
