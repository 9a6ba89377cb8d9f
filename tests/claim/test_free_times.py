"""Free times against the plain look at every claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import Claim, Occupancy
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

NOW = datetime(2027, 1, 1, tzinfo=UTC)
TENANT, TABLE = UUID(int=1), UUID(int=2)


def span(start: int, minutes: int) -> Span:
    return Span(NOW + timedelta(minutes=start), NOW + timedelta(minutes=start + minutes))


def resource(units: int) -> Resource:
    return Resource(
        id=TABLE,
        slug="t1",
        name="T1",
        kind="table",
        zone=None,
        seats_min=1,
        seats_max=4,
        units=units,
        buffer_before_minutes=0,
        buffer_after_minutes=0,
        attributes={},
        hours=None,
        active=True,
        sort_order=0,
        position=None,
    )


spans = st.builds(span, st.integers(0, 100), st.integers(1, 30))
claims = st.lists(st.tuples(spans, st.integers(1, 3), st.booleans()), max_size=12)


def ledger(wanted: list[tuple[Span, int, bool]]) -> list[Claim]:
    """What of it the constraint lets stand: of one unit, no two that overlap; some are holds past their time."""
    kept: list[Claim] = []
    for at, (each, unit, is_past) in enumerate(wanted):
        if not any(other.unit == unit and other.span.overlaps(each) for other in kept):
            kept.append(
                Claim(TENANT, TABLE, unit, each, UUID(int=10 + at), expires_at=NOW if is_past else None)
            )
    return kept


@given(claims, spans, st.integers(1, 3))
def test_it_is_free_when_some_unit_is(taken: list[tuple[Span, int, bool]], asked: Span, units: int) -> None:
    table = resource(units)
    standing = [claim for claim in ledger(taken) if claim.unit <= units]
    plain = Occupancy.of(standing, now=NOW).free_unit(table, asked) is not None
    assert FreeTimes(table, standing, now=NOW).free(asked) == plain
