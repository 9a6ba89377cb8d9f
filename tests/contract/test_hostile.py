"""Hostile values in every place of every operation: never a 5xx, and every refusal is a problem in valid JSON.

Operations and places come from the OpenAPI document, so a new operation is covered by itself. First a valid request
must succeed; then the values of hostile.py replace, one at a time, each part of its path, query, headers and body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from .hostile import Values
from .nord import Nord
from .probe import Probe
from .rules import THEIRS

Ask = Callable[..., Awaitable[None]]

VALUES = Values()


@pytest.fixture
async def probe(
    app: FastAPI, openapi: dict[str, Any], arrange_roomy: Callable[[], Awaitable[Nord]], roomy: Nord
) -> Ask:
    async def probed(operation: str, values: Values) -> None:
        nord = roomy if operation.startswith("GET ") else await arrange_roomy()
        somebody = Probe(app, openapi, operation, nord, values, arrange=arrange_roomy)
        answer = await somebody.ask()
        assert answer.status_code < 300, answer.content
        await somebody.everywhere()
        found = "\n".join(somebody.failures[:60])
        assert not found, f"{operation}: {len(somebody.failures)} failures\n{found}"

    return probed


@pytest.mark.parametrize("operation", THEIRS)
async def test_nothing_breaks_it(operation: str, probe: Ask) -> None:
    await probe(operation, VALUES)


@pytest.mark.soak
@pytest.mark.parametrize("operation", THEIRS)
async def test_nothing_breaks_it_at_length(operation: str, probe: Ask) -> None:
    """All values in all places."""
    await probe(operation, Values(every=1))
