"""A database of its own: what is audited is what was replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest

from holdfast.kernel.db import Database
from holdfast.kernel.embedded import Server
from tests.databases import new_database
from tests.processes import PATIENT_S

_numbers = count(1)


@pytest.fixture
async def empty_db(server: Server) -> AsyncIterator[Database]:
    name = f"replay_{next(_numbers)}"
    await new_database(server, name)
    database = await Database.connect(server.url(name), deadline_s=PATIENT_S)
    yield database
    await database.close()
