"""How the tests here ask: in one world after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from fastapi import FastAPI

from .world import Ask, Question, in_world


@pytest.fixture
def ask(app: FastAPI, open_house: Callable[..., Any]) -> Ask:
    """Asks in the worlds of these seeds, and returns how much was compared."""

    async def asked(question: Question, seeds: Iterable[int]) -> int:
        return sum([await in_world(seed, app.state.engine, open_house, question) for seed in seeds])

    return asked
