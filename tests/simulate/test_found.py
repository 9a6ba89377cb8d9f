"""Sequences that were found to go wrong: what each is about, in as few steps as it takes."""

from __future__ import annotations

from datetime import timedelta

from holdfast.booking.states import Status as S

from .drafts import Asking, At, Draft
from .run import Run
from .words import Cancelling, Changing, Edit, Who
from .world import World

EVENING, NIGHT = At(0, 18 * 60), At(0, 21 * 60)
SECTION = 3  # of the osteria
TABLES = 4  # there
SYSTEM = Who("system", "system")


def begin(world: World) -> tuple[Run, Asking]:
    run = Run(world)
    return run, Asking(run)


def test_a_refusal_is_kept_as_long_as_the_venue_says(world: World) -> None:
    run, asking = begin(world)
    cellar = Draft(venue=1, at=EVENING, size=50)
    run.create([(asking.ask(cellar), "key")])
    run.pass_time(timedelta(hours=2))  # after which the cellar forgets
    answers = run.create([(asking.ask(Draft(venue=1, at=EVENING)), "key")])
    assert answers[0].code == "DONE"


def test_a_hold_that_staff_made_in_the_same_set_counts_for_the_guest(world: World) -> None:
    run, asking = begin(world)
    by_staff = asking.ask(Draft(venue=0, at=EVENING, hold=True, guest=True))
    by_gina = asking.ask(Draft(venue=0, at=NIGHT, hold=True, who="gina"))
    assert [each.code for each in run.create([(by_staff, None), (by_gina, None)])] == [
        "DONE",
        "TOO_MANY_HOLDS",
    ]


def test_a_booking_without_a_place_is_not_put_where_it_is_closed_then(world: World) -> None:
    run, asking = begin(world)
    run.create([(asking.ask(Draft(venue=0, at=NIGHT, place=SECTION, size=5)), None)])
    (booking,) = run.oracle.bookings.values()
    for status in (S.CONFIRMED, S.MANUAL_REVIEW):
        run.move(booking, status, booking.version, SYSTEM)
    bob = asking.who("bob", 0)
    run.change(Changing(booking.id, booking.version, bob, Edit(kinds=("lane",))), None)
    assert booking.version == 3
    run.change(Changing(booking.id, booking.version, bob, Edit(kinds=("lane", "table"))), None)
    assert {each.kind for each in booking.choice} == {"table"}


def test_a_request_that_was_a_hold_first_loses_no_time_when_it_is_changed(world: World) -> None:
    run, asking = begin(world)
    run.create([(asking.ask(Draft(venue=2, at=At(4, 20 * 60), place=3, size=2, hold=True)), None)])
    (booking,) = run.oracle.bookings.values()
    run.pass_time(timedelta(minutes=4))
    bob = asking.who("bob", 2)
    run.move(booking, S.PENDING_APPROVAL, booking.version, bob)
    promised = booking.expires_at
    run.change(Changing(booking.id, booking.version, bob, Edit(size=3)), None)
    assert booking.expires_at == promised


def test_a_step_that_is_done_is_done_once(world: World) -> None:
    run, asking = begin(world)
    run.create([(asking.ask(Draft(venue=0, at=EVENING)), None)])
    (booking,) = run.oracle.bookings.values()
    bob = asking.who("bob", 0)
    for _ in range(2):
        run.move(booking, S.CONFIRMED, 1, bob)
    for _ in range(2):
        run.cancel(Cancelling(booking.id, 2, bob), None)
    run.cancel(Cancelling(booking.id, 1, bob), None)
    run.cancel(Cancelling(booking.id, 3, bob), None)
    assert booking.version == 3


def test_who_says_the_start_again_stays_in_the_slot(world: World) -> None:
    run, asking = begin(world)
    run.create([(asking.ask(Draft(venue=2, at=NIGHT, slot=True, size=3)), None)])
    (booking,) = run.oracle.bookings.values()
    bob = asking.who("bob", 2)
    run.change(Changing(booking.id, 1, bob, Edit(start=booking.start)), None)
    run.change(Changing(booking.id, 2, bob, Edit(size=5)), None)
    assert (booking.in_slot, booking.end - booking.start) == (True, timedelta(minutes=110))


def test_who_says_the_same_wishes_again_stays_at_the_table(world: World) -> None:
    run, asking = begin(world)
    run.create([(asking.ask(Draft(venue=0, at=EVENING, size=2, kind=TABLES)), None)] * 2)
    first, second = run.oracle.bookings.values()
    assert [each.slug for each in second.choice] == ["t2"]
    bob = asking.who("bob", 0)
    run.cancel(Cancelling(first.id, 1, bob), None)
    run.change(
        Changing(second.id, 1, bob, Edit(start=second.start + timedelta(minutes=15), kinds=second.kinds)),
        None,
    )
    assert [each.slug for each in second.choice] == ["t2"]
