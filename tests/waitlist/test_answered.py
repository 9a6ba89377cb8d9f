"""An offer at a venue that asks questions: the guest answers them with accepting, as with booking."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from holdfast.kernel.db.database import Database
from tests.booking.asking import at, history, read, refused
from tests.conftest import House

from .asking import Json, answer, entry_of, joined, promoted

QUESTIONS: list[Json] = [
    {"id": "allergies", "label": "Any allergies?", "required": True, "kinds": ["table"]},
    {"id": "children", "label": "Children", "type": "number"},
    {"id": "shoes", "label": "Shoe size", "required": True, "kinds": ["lane"]},
    {"id": "call", "label": "Who took the call?", "required": True, "asked_of": "staff"},
]


@pytest.fixture
async def offered(db: Database, open_house: Any) -> tuple[House, Json]:
    """A house that asks, and Gina's offer of a table."""
    house: House = await open_house(questions=QUESTIONS)
    entry = await joined(house, house.gina, preferences={"kinds": ["table"]})
    assert await promoted(db, house) == 1
    return house, await entry_of(house, entry)


async def accept(house: House, entry: Json, who: dict[str, str], **answers: Any) -> httpx.Response:
    path = f"/waitlist/{entry['id']}/accept"
    return await house.client.post(path, json={"answers": answers}, headers=who)


def fields(problem: Json) -> list[str]:
    return [each["field"] for each in problem["errors"]]


async def test_what_is_required_is_asked_as_in_a_booking(offered: tuple[House, Json]) -> None:
    house, entry = offered
    table = {"start": at("12:00"), "preferences": {"kinds": ["table"]}}
    booking = refused(await house.book(house.gina, **table), 400, "INVALID_REQUEST")
    for response in (
        await answer(house, entry, "accept", house.gina),
        await accept(house, entry, house.gina),
    ):
        problem = refused(response, 400, "INVALID_REQUEST")
        assert {**problem, "instance": ""} == {**booking, "instance": ""}
        assert fields(problem) == ["answers.allergies"]
    for wrong, field in (
        ({"children": "two"}, "children"),
        ({"call": "me"}, "call"),
        ({"colour": 1}, "colour"),
    ):
        problem = refused(
            await accept(house, entry, house.gina, allergies="none", **wrong), 400, "INVALID_REQUEST"
        )
        assert fields(problem) == [f"answers.{field}"]
    assert (await entry_of(house, entry))["status"] == "OFFERED"
    assert (await read(house, {"id": entry["booking_id"]}))["status"] == "HELD"

    done = await accept(house, entry, house.gina, allergies="none", children=2)
    assert (done.status_code, done.json()["status"]) == (200, "ACCEPTED")
    made = await read(house, {"id": entry["booking_id"]}, house.gina)
    assert (made["status"], made["answers"]) == ("RESERVED", {"allergies": "none", "children": 2})
    assert "none" not in str(await history(house, made))
    again = await answer(house, entry, "accept", house.gina)
    assert (again.status_code, again.json()) == (200, done.json())


async def test_no_refusal_repeats_answers_that_could_not_be_read(offered: tuple[House, Json]) -> None:
    house, entry = offered
    path = f"/waitlist/{entry['id']}/accept"
    for wrong in ("nut allergy", {"plate": 2**60}):
        response = await house.client.post(path, json={"answers": wrong}, headers=house.gina)
        [error] = refused(response, 400, "INVALID_REQUEST")["errors"]
        assert (error["field"][:7], error["value"]) == ("answers", None)


async def test_staff_who_accept_for_a_guest_are_asked_what_staff_are_asked(
    offered: tuple[House, Json],
) -> None:
    house, entry = offered
    problem = refused(await answer(house, entry, "accept"), 400, "INVALID_REQUEST")
    assert fields(problem) == ["answers.call"]
    assert (await accept(house, entry, house.bob, call="Bob")).status_code == 200


async def test_declining_and_leaving_need_no_answers(offered: tuple[House, Json]) -> None:
    house, entry = offered
    assert (await answer(house, entry, "decline", house.gina)).json()["status"] == "DECLINED"


async def test_the_held_booking_is_no_way_round_the_questions(offered: tuple[House, Json]) -> None:
    house, entry = offered
    path = f"/bookings/{entry['booking_id']}/confirm"
    refused(await house.client.post(path, json={}, headers=house.gina), 400, "INVALID_REQUEST")
    done = await house.client.post(path, json={"answers": {"allergies": "none"}}, headers=house.gina)
    assert done.status_code == 200, done.text
