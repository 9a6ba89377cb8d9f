"""Free times against the plain look at every claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import Claim, Occupancy, claimed_span
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

NOW = datetime(2027, 1, 1, tzinfo=UTC)
TENANT, TABLE = UUID(int=1), UUID(int=2)


def span(start: int, minutes: int) -> Span:
    return Span(NOW + timedelta(minutes=start), NOW + timedelta(minutes=start + minutes))


def resource(units: int, before: int = 0, after: int = 0) -> Resource:
    return Resource(
        id=TABLE,
        slug="t1",
        name="T1",
        kind="table",
        zone=None,
        seats_min=1,
        seats_max=4,
        units=units,
        buffer_before_minutes=before,
        buffer_after_minutes=after,
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


@given(claims, spans, st.integers(1, 3), st.integers(1, 4))
def test_it_is_free_when_at_every_instant_its_units_are(
    taken: list[tuple[Span, int, bool]], asked: Span, units: int, needed: int
) -> None:
    table = resource(units)
    standing = [claim for claim in ledger(taken) if claim.unit <= units and claim.stands(NOW)]
    minutes = [asked.start + timedelta(minutes=n) for n in range(int(asked.duration.total_seconds() // 60))]
    plain = all(sum(claim.span.holds(at) for claim in standing) <= units - needed for at in minutes)
    assert FreeTimes.of(table, ledger(taken), now=NOW).free(asked, units=needed) == plain
    assert Occupancy.of(ledger(taken), now=NOW).has_room(table, asked, units=needed) == plain


@given(
    claims,
    st.lists(st.integers(0, 120), min_size=1, max_size=20, unique=True),
    st.integers(1, 30),
    st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(0, 9)),
    st.integers(1, 4),
)
def test_many_starts_at_once_are_as_each_alone(
    taken: list[tuple[Span, int, bool]],
    minutes: list[int],
    length: int,
    table: tuple[int, int, int],
    needed: int,
) -> None:
    asked = resource(*table)
    free = FreeTimes.of(asked, [claim for claim in ledger(taken) if claim.unit <= asked.units], now=NOW)
    spans_ = [span(start, length) for start in sorted(minutes)]
    found = free.starts([each.start for each in spans_], timedelta(minutes=length), units=needed)
    assert [bool(found >> place & 1) for place in range(len(spans_))] == [
        free.free(claimed_span(asked, each), units=needed) for each in spans_
    ]
    assert found < 1 << len(spans_)


@given(claims, st.lists(st.tuples(spans, st.integers(1, 3)), max_size=8), st.integers(1, 3))
def test_what_is_taken_is_as_if_it_had_been_claimed(
    taken: list[tuple[Span, int, bool]], wanted: list[tuple[Span, int]], units: int
) -> None:
    table = resource(units)
    kept = ledger(taken)
    free = FreeTimes.of(table, kept, now=NOW)
    for place, (each, needed) in enumerate(wanted):
        room = Occupancy.of(kept, now=NOW).has_room(table, each, units=needed)
        assert free.free(each, units=needed) == room
        if room:
            free.take(each, units=needed)
            # How it is coloured does not matter to what only counts.
            kept += [Claim(TENANT, TABLE, 1, each, UUID(int=1000 + place))] * needed
