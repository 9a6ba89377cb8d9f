"""Values that every request makes anew."""

from dataclasses import fields, replace

import pytest

from holdfast.kernel.value import value


@value(kw_only=True)
class Wish:
    """A value of two fields."""

    size: int
    place: str | None = None


def test_values_of_the_same_fields_are_the_same_and_can_be_hashed():
    assert Wish(size=2) == Wish(size=2) != Wish(size=3)
    assert len({Wish(size=2), Wish(size=2), Wish(size=2, place="hall")}) == 2


def test_a_value_is_a_dataclass():
    assert [each.name for each in fields(Wish)] == ["size", "place"]
    assert replace(Wish(size=2), place="hall") == Wish(size=2, place="hall")
    with pytest.raises(TypeError):
        Wish(2)  # pyright: ignore[reportCallIssue]


def test_a_value_has_no_other_attributes():
    with pytest.raises(AttributeError):
        Wish(size=2).seats = 4  # pyright: ignore[reportAttributeAccessIssue]


def test_the_type_checker_is_told_that_it_is_frozen():
    told = vars(value)["__dataclass_transform__"]
    assert (told | told["kwargs"])["frozen_default"] is True
