"""The real file, and a database of its own for each replay: what is audited is what was replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest

from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import Server
from holdfast.replay.file import read_stays
from holdfast.replay.stay import BadRow, Stay
from tests.databases import new_database
from tests.engines import connect
from tests.processes import PATIENT_S

from .hotel_data import data_file

_numbers = count(1)


@pytest.fixture(scope="session")
def real_file() -> list[Stay | BadRow]:
    """The rows of the hotel data set."""
    return list(read_stays(data_file()))


@pytest.fixture
async def empty_db(server: Server) -> AsyncIterator[Database]:
    name = f"replay_{next(_numbers)}"
    database = await connect(await new_database(server, name), deadline_s=PATIENT_S)
    yield database
    await database.close()
