"""Empty databases for the tests of this folder, and an environment without settings for those who ask for it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database
from holdfast.kernel.embedded.account import Account, app_account
from holdfast.main.process.drop import open_code
from tests.databases import new_database as copied
from tests.main.slow import beside, slow_booking


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


@pytest.fixture(scope="session")
def slow(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[tuple[int, int, float]]]:
    """What becomes of the booking of test_slow_client.py."""
    with beside(partial(slow_booking, database_url, tmp_path_factory.mktemp("slow"))) as told:
        yield told


@pytest.fixture(scope="session")
def has_slow(request: pytest.FixtureRequest) -> bool:
    return any("slow" in getattr(item, "fixturenames", ()) for item in request.session.items)


@pytest.fixture(autouse=True)
def _begun_early(request: pytest.FixtureRequest, has_slow: bool) -> None:
    """The first test of this folder with the database begins it, unless it is about seconds."""
    if has_slow and "server" in request.fixturenames and request.node.get_closest_marker("alone") is None:
        request.getfixturevalue("slow")


@pytest.fixture
def new_migrated(server: Server) -> Callable[[], Awaitable[str]]:
    """The same with the newest schema."""

    async def make() -> str:
        return await copied(server, f"main_{next(_numbers)}")

    return make


_numbers = count(1)


@pytest.fixture
def app_user() -> Account:
    account = app_account()
    assert account is not None
    open_code(account)
    return account


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    if (tmp_path / "data" / "postgres").exists():
        EmbeddedPostgres(tmp_path / "data").stop()


@pytest.fixture
def home(app_user: Account) -> Iterator[Path]:
    """A directory of the application's user, as of any ordinary one."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-", dir="/tmp"))
    os.chown(path, app_user.uid, app_user.gid)
    yield path
    shutil.rmtree(path)
