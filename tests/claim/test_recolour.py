"""Room by counting, and the units that follow from it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.assigning.choose import fit
from holdfast.claim import recolour
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.claim.recolour import Fit
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

from .test_free_times import NOW, TABLE, TENANT, resource, span


class Ledger:
    """Claims on one resource, as a table would have them; it answers probes, and lets no two overlap on a unit."""

    def __init__(self, table: Resource) -> None:
        self.table = table
        self.claims: list[Claim] = []
        self.reads = 0

    def fit(self, wanted: Span, *, units: int = 1, but: UUID | None = None) -> tuple[Fit | None, Occupancy]:
        """As a verb does it: it knows of the ledger what it asked for, and no more."""
        occupancy = Occupancy(NOW)
        found: Fit | Probe | None = (TENANT, TABLE, wanted)
        while isinstance(found, tuple):
            self.reads += 1
            occupancy.learn([each for each in self.claims if each.span.overlaps(found[2])], [found])
            found = fit(occupancy, self.table, wanted, units=units, but=but)
        return found, occupancy

    def take(self, wanted: Span, owner: UUID, *, units: int = 1) -> Fit | None:
        found, occupancy = self.fit(wanted, units=units)
        if found is not None:
            for claim, unit in found.moves:
                occupancy.move(claim, unit)
            self.claims = [occupancy.moved.get(each, each) for each in self.claims]
            assert len(set(found.units)) == units
            self.claims += [Claim(TENANT, TABLE, unit, wanted, owner) for unit in found.units]
            self.check()
        return found

    def check(self) -> None:
        for unit in range(1, self.table.units + 1):
            spans = sorted(each.span for each in self.claims if each.unit == unit)
            assert all(one.end <= other.start for one, other in pairwise(spans))
        assert all(1 <= each.unit <= self.table.units for each in self.claims)

    def has_room(self, wanted: Span, *, units: int = 1) -> bool:
        """Minute by minute."""
        minutes = range(int(wanted.duration.total_seconds() // 60))
        instants = [wanted.start + timedelta(minutes=n) for n in minutes]
        most = self.table.units - units
        return all(sum(each.span.holds(at) for each in self.claims) <= most for at in instants)


spans = st.builds(span, st.integers(0, 40), st.integers(1, 12))


@given(
    st.integers(1, 6),
    st.lists(st.tuples(spans, st.sampled_from([1, 1, 1, 2, 3]), st.booleans()), min_size=15, max_size=40),
)
def test_it_fits_if_at_every_instant_its_units_are_left(
    units: int, wanted: list[tuple[Span, int, bool]]
) -> None:
    ledger = Ledger(resource(units))
    for number, (each, needed, goes_away) in enumerate(wanted):
        if goes_away and ledger.claims:
            ledger.claims.pop(number % len(ledger.claims))
        room = ledger.has_room(each, units=needed)
        assert (ledger.take(each, UUID(int=10 + number), units=needed) is not None) == room


def test_two_halves_make_a_whole() -> None:
    ledger = Ledger(resource(2))
    ledger.claims = [
        Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10)),
        Claim(TENANT, TABLE, 2, span(60, 60), UUID(int=11)),
    ]
    found, _ = ledger.fit(span(0, 120))
    assert found == Fit(ledger.table, (2,), ((ledger.claims[1], 1),))


def test_a_free_unit_is_taken_without_a_look_ahead() -> None:
    ledger = Ledger(resource(3))
    ledger.claims = [Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10))]
    assert ledger.fit(span(0, 120))[0] == Fit(ledger.table, (2,))
    assert ledger.reads == 1


def test_what_is_over_or_under_way_stays_where_it_is() -> None:
    ledger = Ledger(resource(2))
    ledger.claims = [
        Claim(TENANT, TABLE, 2, span(0, 30), UUID(int=10)),
        Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=11)),
        Claim(TENANT, TABLE, 2, span(60, 60), UUID(int=12)),
    ]
    found, _ = ledger.fit(span(30, 90))
    assert found == Fit(ledger.table, (2,), ((ledger.claims[2], 1),))


def test_swapped_units_are_right_again_as_soon_as_both_are_free() -> None:
    ledger = Ledger(resource(2))
    ledger.claims = [
        Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10)),
        Claim(TENANT, TABLE, 2, span(60, 90), UUID(int=11)),
        Claim(TENANT, TABLE, 1, span(120, 60), UUID(int=12)),
        Claim(TENANT, TABLE, 2, span(180, 60), UUID(int=13)),
        Claim(TENANT, TABLE, 1, span(180, 60), UUID(int=14)),
    ]
    found, _ = ledger.fit(span(0, 120))
    assert found is not None
    assert [claim.owner_id.int for claim, _ in found.moves] == [11, 12]


def test_what_is_left_on_a_unit_that_was_taken_away_is_in_nobodys_way() -> None:
    ledger = Ledger(resource(1))
    ledger.claims = [Claim(TENANT, TABLE, 2, span(0, 60), UUID(int=10))]
    assert ledger.fit(span(0, 60))[0] == Fit(ledger.table, (1,))


def test_what_learns_twice_knows_once() -> None:
    """The ledger still has a claim where it was, when it has moved already."""
    claim = Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10))
    occupancy = Occupancy.of([claim], now=NOW)
    occupancy.move(claim, 2)
    occupancy.learn([claim], [(TENANT, TABLE, claim.span)])
    (moved,) = occupancy.by_resource[TABLE]
    assert (moved.unit, occupancy.moved) == (2, {claim: moved})
    occupancy.move(moved, 1)
    assert occupancy.moved == {}


@pytest.mark.parametrize(
    ("bound", "value"), [("MOVES_MAX", 3), ("CLAIMS_MAX", 3), ("AHEAD_MAX", timedelta(minutes=130))]
)
def test_what_would_be_too_much_is_not_tried(
    bound: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long_chain() -> Ledger:
        """Two units that are never both free again, so that all that comes has to swap."""
        ledger = Ledger(resource(2))
        ledger.claims = [Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10))]
        ledger.claims += [
            Claim(TENANT, TABLE, 2, span(60 + 100 * n, 100), UUID(int=20 + n)) for n in range(6)
        ]
        ledger.claims += [Claim(TENANT, TABLE, 1, span(120 + 90 * n, 90), UUID(int=40 + n)) for n in range(6)]
        return ledger

    assert long_chain().fit(span(0, 120))[0] is not None
    monkeypatch.setattr(recolour, bound, value)
    assert long_chain().fit(span(0, 120))[0] is None


def test_it_reads_a_few_times_however_far_it_goes() -> None:
    ledger = Ledger(resource(2))
    day = 24 * 60
    ledger.claims = [Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10))]
    ledger.claims += [
        Claim(TENANT, TABLE, 2, span(60 + 3 * day * n, 3 * day), UUID(int=20 + n)) for n in range(60)
    ]
    ledger.claims += [
        Claim(TENANT, TABLE, 1, span(120 + 3 * day * n, 3 * day), UUID(int=200 + n)) for n in range(60)
    ]
    found, _ = ledger.fit(span(0, 120))
    assert found is not None
    assert len(found.moves) == 120
    assert ledger.reads <= 10


def test_a_day_is_far_enough_for_most() -> None:
    ledger = Ledger(resource(2))
    ledger.claims = [
        Claim(TENANT, TABLE, 1, span(0, 60), UUID(int=10)),
        Claim(TENANT, TABLE, 2, span(60, 90), UUID(int=11)),
    ]
    assert ledger.fit(span(0, 120))[0] is not None
    assert ledger.reads == 2
