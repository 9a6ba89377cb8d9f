"""The API that the tests of this folder ask, as a process of its own, and its two documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.embedded import Server
from holdfast.kernel.encode import encode
from holdfast.main.asyncapi import asyncapi
from holdfast.main.http import create_app

from .served import Api, served


@pytest.fixture(scope="session")
async def api(server: Server, data_dir: Path, issuer: DevIssuer) -> AsyncIterator[Api]:
    async with served(server, data_dir, issuer, database="contract") as api:
        yield api


@pytest.fixture(scope="session")
def openapi() -> dict[str, Any]:
    """The OpenAPI document. Its operations are the keys of `rules.THEIRS`, as test_isolation.py sees to."""
    return create_app(Settings()).openapi()


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    return orjson.loads(encode(asyncapi()))
