"""The constraint has the last word, whoever else did not keep to the lock."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.booking.making import claiming
from tests.conftest import House

from .asking import at, change


async def test_a_change_that_the_constraint_refuses_keeps_what_it_had(
    house: House, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    await house.booked(start=at("20:00"), resource_ids=house.ids("t1"))

    async def saw_nothing(*_: Any) -> list[Any]:
        return []

    with monkeypatch.context() as blind:
        blind.setattr(claiming.claims, "overlapping", saw_nothing)
        answer = await change(house, booking, start=at("19:45"))
    assert (answer.status_code, answer.json()["code"]) == (409, "TABLE_NOT_AVAILABLE")
    rows = await owner.fetch(
        "SELECT lower(during) AS start FROM claim WHERE owner_id = $1", UUID(booking["id"])
    )
    assert [row["start"].isoformat() for row in rows] == [at_utc(booking["start"])]


def at_utc(instant: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromisoformat(instant).astimezone(UTC).isoformat()
