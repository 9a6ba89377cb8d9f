"""A venue's own questions, and the answers of those who book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import House
from tests.processes import until

from .asking import at, change, move, refused

Json = dict[str, Any]
QUESTIONS: list[Json] = [
    {"id": "allergies", "label": "Any allergies?", "required": True},
    {"id": "occasion", "label": "Occasion", "type": "choice", "choices": ["birthday", "none"]},
    {"id": "children", "label": "Children", "type": "number"},
    {"id": "born", "label": "Date of birth", "type": "date"},
    {"id": "terms", "label": "House rules", "type": "consent", "required": True},
    {"id": "shoes", "label": "Shoe size", "required": True, "kinds": ["lane"]},
    {"id": "call", "label": "Who took the call?", "required": True, "asked_of": "staff"},
]
GUEST = {"allergies": "nuts", "terms": True}


@pytest.fixture
async def house(open_house: Callable[..., Any]) -> House:
    return await open_house(questions=QUESTIONS)


def fields(problem: Json) -> set[str]:
    return {each["field"] for each in problem["errors"]}


async def test_answers_come_back_to_the_guest_and_to_staff(house: House) -> None:
    answers = {**GUEST, "occasion": "birthday", "children": 2, "born": "2016-05-04"}
    visit = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t2"), answers=answers)
    assert visit["answers"] == answers
    for who in (house.gina, house.bob):
        path = f"/bookings/{visit['id']}"
        assert (await house.client.get(path, headers=who)).json()["answers"] == answers
    listed = await house.client.get(f"/bookings/venue/{house.venue_id}", headers=house.bob)
    assert [each["answers"] for each in listed.json()["items"]] == [answers]
    assert (await house.client.get(f"/bookings/{visit['id']}")).status_code in (401, 404)

    async def events() -> str | None:
        text = (await house.client.get("/events?limit=500", headers=house.bob)).text
        return text if visit["id"] in text else None

    assert "nuts" not in await until(events)
    history = await house.client.get(f"/bookings/{visit['id']}/history", headers=house.bob)
    assert "nuts" not in history.text


async def test_what_is_required_is_named(house: House) -> None:
    none = await house.book(house.gina, start=at("18:00"), resource_ids=house.ids("t2"))
    assert fields(refused(none, 400, "INVALID_REQUEST")) == {"answers.allergies", "answers.terms"}
    lane = await house.book(house.gina, start=at("18:00"), resource_ids=house.ids("l1"), answers=GUEST)
    assert fields(refused(lane, 400, "INVALID_REQUEST")) == {"answers.shoes"}
    staff = await house.book(start=at("18:00"), resource_ids=house.ids("t2"))
    assert fields(refused(staff, 400, "INVALID_REQUEST")) == {"answers.call"}
    await house.booked(start=at("18:00"), resource_ids=house.ids("t2"), answers={"call": "Bob"})
    held = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t3"), hold=True)
    assert held["answers"] == {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"allergies": 5}, "text"),
        ({"allergies": ""}, "characters"),
        ({"allergies": "x" * 501}, "500 characters"),
        ({"allergies": "a\0"}, "plain text"),
        ({"occasion": "wedding"}, "birthday"),
        ({"occasion": ["birthday"]}, "birthday"),
        ({"children": "2"}, "number"),
        ({"children": True}, "number"),
        ({"children": 10**17}, "must be from"),
        ({"born": "4 May"}, "date"),
        ({"born": "2016-02-30"}, "date"),
        ({"terms": "yes"}, "true or false"),
        ({"terms": False}, "must be true"),
        ({"terms": None}, "required"),
        ({"colour": "red"}, "allergies"),
        ({"call": "me"}, "staff"),
    ],
)
async def test_each_type_takes_its_own_answers(house: House, answer: Json, said: str) -> None:
    response = await house.book(
        house.gina, start=at("18:00"), resource_ids=house.ids("t2"), answers=GUEST | answer
    )
    problem = refused(response, 400, "INVALID_REQUEST")
    assert fields(problem) == {f"answers.{name}" for name in answer}
    assert said in problem["errors"][0]["problem"]
    assert problem["errors"][0]["value"] is None


async def test_a_change_adds_replaces_and_removes(house: House) -> None:
    visit = await house.booked(
        house.gina, start=at("18:00"), resource_ids=house.ids("t2"), answers=GUEST | {"children": 2}
    )
    changed = await change(house, visit, house.gina, answers={"children": None, "occasion": "none"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["answers"] == GUEST | {"occasion": "none"}
    withheld = await change(house, changed.json(), house.gina, answers={"allergies": None})
    assert fields(refused(withheld, 400, "INVALID_REQUEST")) == {"answers.allergies"}
    by_staff = await change(house, changed.json(), answers={"allergies": None, "call": "Bob"})
    assert by_staff.json()["answers"] == {"terms": True, "occasion": "none", "call": "Bob"}


async def test_other_questions_never_invalidate_old_answers(house: House) -> None:
    visit = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t2"), answers=GUEST)
    await house.replace(house.document | {"questions": [{"id": "plate", "label": "Plate", "required": True}]})
    renamed = await change(house, visit, house.gina, guest_name="Gina", party_size=3)
    assert (renamed.status_code, renamed.json()["answers"]) == (200, GUEST)
    same = await change(house, renamed.json(), house.gina, answers=GUEST | {"plate": "ABC 123"})
    assert same.json()["answers"] == GUEST | {"plate": "ABC 123"}
    gone = await change(house, same.json(), house.gina, answers={"terms": None})
    assert gone.json()["answers"] == {"allergies": "nuts", "plate": "ABC 123"}


async def test_questions_are_a_part_of_the_document(house: House) -> None:
    document = await house.client.get(f"/venues/{house.venue_id}/document", headers=house.alice)
    assert [each["id"] for each in document.json()["questions"]] == [each["id"] for each in QUESTIONS]
    changed = {**house.document, "questions": [QUESTIONS[0] | {"required": False}, *QUESTIONS[1:]]}
    dry = await house.client.post("/venues/import?dry_run=true", json=changed, headers=house.alice)
    assert [each["path"] for each in dry.json()["changes"]] == ["questions.allergies.required"]
    body = {"questions": QUESTIONS[:2], "expected_version": house.venue["version"]}
    patched = await house.client.patch(f"/venues/{house.venue_id}", json=body, headers=house.alice)
    assert [each["id"] for each in patched.json()["questions"]] == ["allergies", "occasion"]
    for wrong in (
        [QUESTIONS[0], QUESTIONS[0]],
        [{"id": "a", "label": "A", "type": "choice"}],
        [{"id": "a", "label": "A", "choices": ["x"]}],
        [{"id": f"q{number}", "label": "Q"} for number in range(51)],
    ):
        response = await house.client.post(
            "/venues/import", json={**house.document, "questions": wrong}, headers=house.alice
        )
        assert all(each.startswith("questions") for each in fields(refused(response, 400, "INVALID_REQUEST")))


async def test_a_walk_in_is_asked_what_staff_are_asked(open_house: Callable[..., Any]) -> None:
    house: House = await open_house(questions=QUESTIONS, hours={"weekly": []})
    body = {"venue_id": house.venue_id, "party_size": 2, "resource_ids": house.ids("t2")}

    async def seat(**answers: Any) -> httpx.Response:
        return await house.client.post("/walk-ins", json={**body, "answers": answers}, headers=house.bob)

    for answers in ({}, {"call": None}, {"children": 1}):
        assert fields(refused(await seat(**answers), 400, "INVALID_REQUEST")) == {"answers.call"}
    seated = await seat(call="Bob", children=1)
    assert (seated.status_code, seated.json()["answers"]) == (201, {"call": "Bob", "children": 1})


async def confirmed(house: House, hold: Json, who: dict[str, str], **body: Any) -> httpx.Response:
    return await house.client.post(f"/bookings/{hold['id']}/confirm", json=body, headers=who)


async def test_a_hold_is_asked_when_it_is_confirmed(house: House) -> None:
    wanted = {"start": at("18:00"), "hold": True}
    hold = await house.booked(
        house.gina, resource_ids=house.ids("t2"), answers={"allergies": "nuts"}, **wanted
    )
    problem = refused(await confirmed(house, hold, house.gina), 400, "INVALID_REQUEST")
    assert fields(problem) == {"answers.terms"}
    for wrong in ({"terms": False}, {"terms": True, "allergies": None}, {"terms": True, "call": "me"}):
        refused(await confirmed(house, hold, house.gina, answers=wrong), 400, "INVALID_REQUEST")
    done = await confirmed(house, hold, house.gina, answers={"terms": True, "children": 2})
    assert done.status_code == 200, done.text
    assert done.json()["answers"] == GUEST | {"children": 2}
    assert (await confirmed(house, hold, house.gina)).json() == done.json()
    lane = await house.booked(house.gina, resource_ids=house.ids("l1"), answers=GUEST, **wanted)
    problem = refused(await confirmed(house, lane, house.gina), 400, "INVALID_REQUEST")
    assert fields(problem) == {"answers.shoes"}
    assert (await confirmed(house, lane, house.bob, answers={"call": "Bob"})).status_code == 200


async def test_no_refusal_repeats_answers_that_could_not_be_read(house: House) -> None:
    visit = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t2"), answers=GUEST)
    hold = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t3"), hold=True)
    for wrong in ("nut allergy", {"plate": 2**60}, ["nut allergy"]):
        for refusal in (
            await house.book(house.gina, start=at("18:00"), answers=wrong),
            await change(house, visit, house.gina, answers=wrong),
            await confirmed(house, hold, house.gina, answers=wrong),
        ):
            problem = refused(refusal, 400, "INVALID_REQUEST")
            assert [(each["field"][:7], each["value"]) for each in problem["errors"]] == [("answers", None)]


async def test_no_other_step_gets_a_guest_round_the_questions(house: House) -> None:
    hold = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t2"), hold=True)
    problem = refused(await move(house, hold, "RESERVED", house.gina), 400, "INVALID_REQUEST")
    assert fields(problem) == {"answers.allergies", "answers.terms"}
    answered = (await change(house, hold, house.gina, answers=GUEST)).json()
    assert (await move(house, answered, "RESERVED", house.gina)).json()["answers"] == GUEST
    # Staff see what is missing, and may take the step all the same.
    other = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t3"), hold=True)
    assert (await move(house, other, "RESERVED")).status_code == 200


async def test_the_promise_of_a_type_is_asked_what_its_type_is(open_house: Callable[..., Any]) -> None:
    rooms = [{"slug": f"r{n}", "kind": "room", "group": "sea"} for n in range(2)]
    asked = [{"id": "view", "label": "Which side?", "required": True, "groups": ["sea"]}]
    house: House = await open_house(resources=rooms, questions=asked, policy={"bind_group": "at_check_in"})
    hold = await house.booked(house.gina, start=at("18:00"), group="sea", hold=True)
    assert hold["resource_ids"] == []
    problem = refused(await confirmed(house, hold, house.gina), 400, "INVALID_REQUEST")
    assert fields(problem) == {"answers.view"}
    assert (await confirmed(house, hold, house.gina, answers={"view": "south"})).status_code == 200
