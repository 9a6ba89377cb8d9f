"""As the tests of jobs have it, in a database where nobody else reads events."""

from __future__ import annotations

import pytest

from holdfast.kernel.embedded import Server
from tests import databases
from tests.job.conftest import app as app
from tests.job.conftest import client as client
from tests.job.conftest import desk as desk


@pytest.fixture(scope="session")
async def desk_url(server: Server) -> str:
    return await databases.new_database(server, "feed")
