"""Cursors: a key comes back as it was, and anything that is no key is refused in plain words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from holdfast.booking.finding.lists import BY_START, FIRST, LAST, StartKey
from holdfast.feed.read import CURSORS, FeedPosition
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.paging import BY_ID, Keyset
from holdfast.place.shown import BY_ORDER
from holdfast.waitlist.lists import BY_SEQ

ALL: list[Keyset[Any]] = [BY_START, BY_ID, BY_ORDER, BY_SEQ, CURSORS]
NIL = UUID(int=0)


def written(key: Any) -> str:
    """A cursor as somebody would forge it."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@given(
    some.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=some.just(UTC)),
    some.uuids(),
)
def test_a_place_by_start_comes_back_to_the_microsecond(start: datetime, id_: UUID) -> None:
    assert BY_START.key(BY_START.cursor(StartKey(start, id_))) == (start, id_)


@given(some.integers(), some.text(some.characters(codec="ascii"), max_size=63))
def test_so_does_every_other_key(number: int, slug: str) -> None:
    key = (number % 10**7, slug)
    assert BY_ORDER.key(BY_ORDER.cursor(key)) == key
    seq = 1 + abs(number) % (2**63 - 1)
    assert BY_SEQ.key(BY_SEQ.cursor(seq)) == seq
    place = FeedPosition(f"{abs(number) % 2**32:08x}", seq)
    assert CURSORS.key(CURSORS.cursor(place)) == place


@pytest.mark.parametrize("order", ALL)
@given(cursor=some.one_of(some.text(max_size=200), some.text("ABCDab09-_=+/", max_size=60)))
def test_any_text_is_a_key_of_the_list_or_refused(order: Keyset[Any], cursor: str) -> None:
    try:
        key = order.key(cursor)
    except InvalidRequest:
        return
    assert order.key(order.cursor(key)) == key


@pytest.mark.parametrize(
    ("order", "key"),
    [
        (BY_SEQ, 0), (BY_SEQ, -1), (BY_SEQ, 2**63), (BY_SEQ, 10**50), (BY_SEQ, True), (BY_SEQ, "1"), (BY_SEQ, 1.0),
        (BY_SEQ, None), (BY_SEQ, [1]),
        (BY_ID, "x"), (BY_ID, 1),
        (BY_ORDER, [1]), (BY_ORDER, [1, "a", 2]), (BY_ORDER, ["1", "a"]),
        (BY_START, ["9999-12-31T23:59:59-12:00", str(NIL)]), (BY_START, ["0001-01-01T00:00:00+14:00", str(NIL)]),
        (BY_START, ["2027-01-01T00:00:00", str(NIL)]), (BY_START, [0, str(NIL)]),
        (CURSORS, ["0123abcd", 2**63]), (CURSORS, ["0123abcd", -1]), (CURSORS, ["0123ABCD", 1]),
        (CURSORS, ["0123abcd\n", 1]),
    ],
)  # fmt: skip
def test_a_key_of_another_kind_or_out_of_bounds_is_refused(order: Keyset[Any], key: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        order.key(written(key))
    assert "`next`" in refused.value.detail


def test_the_bounds_themselves_are_places() -> None:
    for start in (FIRST, LAST):
        assert BY_START.key(BY_START.cursor(StartKey(start, NIL))) == (start, NIL)


def test_none_is_the_beginning() -> None:
    assert [order.key(None) for order in ALL] == [None] * len(ALL)
