"""Empty databases for the tests of this folder, and an environment without settings for those who ask for it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from holdfast.kernel.embedded import Server, create_database


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have HOLDFAST_ variables set."""
    for name in [name for name in os.environ if name.startswith("HOLDFAST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def new_database(server: Server) -> Callable[[], Awaitable[str]]:
    """Makes an empty database and answers its URL."""

    async def make() -> str:
        name = f"main_{next(_numbers)}"
        assert await create_database(server, name)
        return server.url(name)

    return make


_numbers = count(1)
