"""Checks answers against the questions of a venue. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.text import some_lines
from holdfast.place.questions.question import TEXT_CHARS_MAX, Question
from holdfast.place.venue import Resource, Venue

NUMBER_MAX = 2**53
Answers = Mapping[str, Any]


def new_answers(
    venue: Venue,
    given: Answers,
    *,
    resources: Sequence[Resource],
    slot_id: str | None,
    is_staff: bool,
    is_complete: bool,
) -> dict[str, Any]:
    """Returns the answers of a new booking. `is_complete`: whether required answers must be there; of staff, only
    those to questions for staff. Raises InvalidRequest with every answer that is wrong or missing."""
    problems = list(_wrong(venue, given, {}, is_staff=is_staff))
    answers = {id_: value for id_, value in given.items() if value is not None}
    if is_complete:
        problems += _missing(venue, given, resources, slot_id, is_staff=is_staff)
    _refuse(problems)
    return answers


def completed_answers(
    venue: Venue,
    given: Answers,
    before: Answers,
    *,
    resources: Sequence[Resource],
    slot_id: str | None,
    is_staff: bool,
) -> dict[str, Any]:
    """Returns the answers of a hold that becomes a booking: those given, and others that it has. Required ones must be
    there as in a new booking. Raises InvalidRequest with every answer that is wrong or missing."""
    changed = {id_: value for id_, value in given.items() if value != before.get(id_)}
    problems = list(_wrong(venue, changed, before, is_staff=is_staff))
    problems += _missing(venue, {**before, **given}, resources, slot_id, is_staff=is_staff)
    _refuse(problems)
    return {id_: value for id_, value in {**before, **given}.items() if value is not None}


def _missing(
    venue: Venue, given: Answers, resources: Sequence[Resource], slot_id: str | None, *, is_staff: bool
) -> Iterator[tuple[str, str]]:
    """Yields what is required of those who book this, and not given."""
    mine = "staff" if is_staff else "guests"
    for each in venue.questions:
        is_mine = each.required and each.asked_of == mine
        if is_mine and given.get(each.id) is None and _is_asked(each, resources, slot_id):
            yield each.id, f"is required: {each.label}"


def changed_answers(venue: Venue, given: Answers, before: Answers, *, is_staff: bool) -> dict[str, Any]:
    """Returns the answers after a change: those given replace the same ones, and null removes one. What a question was
    when it was answered doesn't matter: other answers stay. Raises InvalidRequest."""
    changed = {id_: value for id_, value in given.items() if value != before.get(id_)}
    _refuse(
        [*_wrong(venue, changed, before, is_staff=is_staff), *_withheld(venue, changed, is_staff=is_staff)]
    )
    return {id_: value for id_, value in {**before, **given}.items() if value is not None}


def _withheld(venue: Venue, given: Answers, *, is_staff: bool) -> Iterator[tuple[str, str]]:
    """Yields what a guest has to answer and takes back."""
    for each in venue.questions:
        if not is_staff and each.required and each.asked_of == "guests" and given.get(each.id, 0) is None:
            yield each.id, f"is required: {each.label}"


def _is_asked(question: Question, resources: Sequence[Resource], slot_id: str | None) -> bool:
    return (
        (question.kinds is None or any(each.kind in question.kinds for each in resources))
        and (question.groups is None or any(each.group in question.groups for each in resources))
        and (question.slots is None or slot_id in question.slots)
    )


def _wrong(venue: Venue, given: Answers, before: Answers, *, is_staff: bool) -> Iterator[tuple[str, str]]:
    questions = {each.id: each for each in venue.questions}
    for id_, value in given.items():
        question = questions.get(id_)
        if question is None:
            if value is not None or id_ not in before:
                known = ", ".join(questions)
                yield (
                    id_,
                    f"is not a question here: {f'there are {known}' if known else 'the venue has none'}",
                )
        elif question.asked_of == "staff" and not is_staff:
            yield id_, "is answered by staff: omit it"
        elif value is not None and (problem := _problem(question, value)):
            yield id_, problem


def _problem(question: Question, value: Any) -> str | None:
    match question.type, value:
        case "text", str():
            return _problem_of_text(value)
        case "text", _:
            return "must be text"
        case "choice", _:
            return None if value in question.choices else f"must be one of {', '.join(question.choices)}"
        case "number", int() | float() if not isinstance(value, bool):
            is_fine = math.isfinite(value) and abs(value) <= NUMBER_MAX
            return None if is_fine else f"must be from -{NUMBER_MAX} to {NUMBER_MAX}"
        case "number", _:
            return "must be a number"
        case "date", _:
            return None if _is_date(value) else "must be a date such as '2026-12-24'"
        case _, bool():
            return "must be true: it is required" if question.required and not value else None
        case _:
            return "must be true or false"


def _problem_of_text(value: str) -> str | None:
    if not 1 <= len(value) <= TEXT_CHARS_MAX:
        return f"must have 1 to {TEXT_CHARS_MAX} characters"
    try:
        some_lines(value)
    except ValueError as error:
        return str(error)
    return None


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _refuse(problems: Iterable[tuple[str, str]]) -> None:
    # Answers are personal data, so they are not repeated.
    errors = [{"field": f"answers.{id_}", "value": None, "problem": problem} for id_, problem in problems]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidRequest(f"{errors[0]['field']}: {errors[0]['problem']}{more}", errors=errors)
