"""Half-open spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.span import Span, merged


def span(start: int, end: int) -> Span:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    return Span(noon + timedelta(minutes=start), noon + timedelta(minutes=end))


def test_spans_that_touch_do_not_overlap():
    assert not span(0, 10).overlaps(span(10, 20))
    assert span(0, 11).overlaps(span(10, 20))
    assert span(0, 30).overlaps(span(10, 20))


def test_a_span_contains_what_ends_with_it_and_holds_its_start_alone():
    assert span(0, 20).contains(span(10, 20))
    assert not span(0, 20).contains(span(10, 21))
    assert span(0, 20).holds(span(0, 1).start)
    assert not span(0, 20).holds(span(20, 21).start)
    assert span(0, 20).duration == timedelta(minutes=20)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20))))
def test_merging_keeps_every_minute_and_leaves_real_gaps(pairs: list[tuple[int, int]]):
    spans = [span(start, start + length) for start, length in pairs]
    result = merged(spans)
    minutes = [span(each, each + 1) for each in range(90)]
    covered = [any(one.contains(each) for one in spans) for each in minutes]
    assert [any(one.contains(each) for one in result) for each in minutes] == covered
    assert all(early.end < late.start for early, late in pairwise(result))
