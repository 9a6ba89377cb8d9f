"""A bowling alley of eight lanes, open from 10 to 23."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.block.asking import ALLEY, RULES
from tests.conftest import House


@pytest.fixture
async def alley(open_house: Callable[..., Any]) -> House:
    return await open_house(resources=ALLEY, policy=RULES)


@pytest.fixture
async def steady(open_house: Callable[..., Any]) -> House:
    """The same in a zone where clocks never change, for tests about times close to now."""
    return await open_house(resources=ALLEY, policy=RULES, timezone="UTC")
