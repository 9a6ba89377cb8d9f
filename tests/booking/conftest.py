"""The owner of the database, who sees and may do everything in it; and venues with rules of fair use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from tests.conftest import House

from .callers import FLOOR, Guest


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def bound(open_house: Any, app: FastAPI) -> Callable[..., Any]:
    """Opens a house with these rules, and returns it with guests who come to it."""

    async def opened(*rules: dict[str, Any], **policy: Any) -> tuple[House, Callable[..., Guest]]:
        house = await open_house(resources=[FLOOR], policy={"fair_use": [*rules], **policy})
        return house, lambda subject=None, **of: Guest(app, house, subject, **of)

    return opened
