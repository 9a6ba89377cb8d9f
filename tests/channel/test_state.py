"""The state of a resource in a slot: by counting, whatever units the claims are on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from holdfast.channel.state import FIRMNESS, SlotState, slot_state
from holdfast.claim.model import Claim, ClaimState
from holdfast.kernel.span import Span
from tests.claim.test_free_times import TABLE, TENANT, resource, span

SLOT = span(20, 60)


def claim(
    start: int, minutes: int, *, unit: int = 1, state: ClaimState = "confirmed", owner: int = 1
) -> Claim:
    return Claim(
        TENANT, TABLE, unit, span(start, minutes), UUID(int=owner), state=state, changed_by=f"staff:{owner}"
    )


def test_two_halves_leave_one_of_two() -> None:
    halves = [claim(20, 30, unit=1), claim(50, 30, unit=2)]
    assert slot_state(resource(2), SLOT, halves) == SlotState("available", 1)


def test_what_goes_last_says_what_it_is() -> None:
    """In the first half a hold may make room, in the second nothing soon will."""
    claims = [
        claim(20, 30, unit=1, state="held", owner=1),
        claim(20, 30, unit=2, owner=2),
        claim(50, 30, unit=1, state="pending_approval", owner=3),
        claim(50, 30, unit=2, owner=4),
    ]
    assert slot_state(resource(2), SLOT, claims) == SlotState("pending_approval", 0, "staff:3")


def test_a_moment_with_a_free_unit_says_nothing() -> None:
    claims = [
        claim(20, 30, unit=1, state="held", owner=1),
        claim(20, 60, unit=2, owner=2),
        claim(60, 20, unit=3, state="held", owner=3),
    ]
    assert slot_state(resource(2), SLOT, claims[:2]) == SlotState("held", 0, "staff:1")
    assert slot_state(resource(3), SLOT, claims) == SlotState("available", 1)


pieces = st.lists(
    st.tuples(st.integers(0, 80), st.integers(1, 40), st.integers(1, 3), st.sampled_from([*FIRMNESS])),
    max_size=14,
)


@given(pieces, st.integers(1, 3))
def test_it_is_as_a_look_at_each_minute_has_it(
    wanted: list[tuple[int, int, int, ClaimState]], units: int
) -> None:
    there: list[Claim] = []
    for owner, (start, minutes, unit, state) in enumerate(wanted):
        each = claim(start, minutes, unit=min(unit, units), state=state, owner=owner)
        if not any(other.unit == each.unit and other.span.overlaps(each.span) for other in there):
            there.append(each)

    def at(minute: int) -> list[Claim]:
        instant = span(minute, 1).start
        return [each for each in there if each.span.holds(instant)]

    full = [min(at(n), key=_firm) for n in range(20, 80) if len(at(n)) == units]
    state = slot_state(resource(units), SLOT, there)
    assert state.units_free == units - max(len(at(n)) for n in range(20, 80))
    if full:
        last = max(full, key=_firm)
        assert (state.state, state.changed_by) == (last.state, last.changed_by)
    assert slot_state(resource(units), SLOT, [replace(each, unit=1) for each in reversed(there)]) == state


def _firm(each: Claim) -> tuple[int, str]:
    return FIRMNESS[each.state], str(each.owner_id)


def test_spans_that_only_touch_the_slot_are_not_in_it() -> None:
    before = Span(SLOT.start - timedelta(hours=1), SLOT.start)
    assert slot_state(resource(1), SLOT, [replace(claim(0, 1), span=before)]).units_free == 1
