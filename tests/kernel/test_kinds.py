"""What every refusal carries: a kind, a code of its own, a message."""

from __future__ import annotations

import pytest

from holdfast.kernel.db.idempotency import Reply, StoredRefusal
from holdfast.kernel.errors import HoldfastError, Kind, kind_of
from holdfast.kernel.problem import STATUS, HttpError
from tests.refusals import refusals

WITH_CODE = [each for each in refusals() if "code" in each.__dict__]


@pytest.mark.parametrize("cls", WITH_CODE)
def test_every_refusal_says_what_kind_it_is(cls: type[HoldfastError]) -> None:
    assert (cls.kind is Kind.INTERNAL) == (cls.code == "INTERNAL")
    assert cls.__doc__
    assert kind_of(cls.code) is cls.kind


def test_no_code_is_of_two_kinds() -> None:
    codes = [each.code for each in WITH_CODE]
    assert len(codes) == len(set(codes)) > 20


def test_every_kind_has_a_status_and_those_that_depend_on_the_moment_are_not_final() -> None:
    assert STATUS.keys() == set(Kind)
    final = {STATUS[each] for each in Kind if each.is_final}
    assert final == {400, 401, 403, 404}
    assert all(
        400 <= each.status < 500
        for each in WITH_CODE
        if issubclass(each, HttpError) and "status" in each.__dict__
    )


@pytest.mark.parametrize("cls", [each for each in WITH_CODE if each.kind.is_final])
def test_a_stored_refusal_is_of_the_kind_it_was(cls: type[HoldfastError]) -> None:
    stored = StoredRefusal(Reply(cls.code, '{"detail": "As before.", "fields": {"a": 1}}'))
    assert (stored.kind, stored.code, stored.detail, stored.fields) == (
        cls.kind,
        cls.code,
        "As before.",
        {"a": 1},
    )
