"""The state machine, against the table of the specification."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from holdfast.booking import states
from holdfast.booking.model import check_step, due_of, expiry_of, initial_status
from holdfast.booking.states import InvalidTransition, Status
from holdfast.pacing.store import COUNTED
from holdfast.place.policy import Policy

# Written out once more on purpose: status, whether it occupies, where it goes.
TABLE = {
    "HELD": (True, "PENDING RESERVED PENDING_APPROVAL CONFIRMED CANCELLED EXPIRED"),
    "PENDING": (True, "RESERVED PENDING_APPROVAL CAPACITY_VERIFIED CONFIRMED CANCELLED EXPIRED"),
    "RESERVED": (True, "CONFIRMED CHECKED_IN CANCELLED NO_SHOW"),
    "PENDING_APPROVAL": (True, "CONFIRMED CANCELLED EXPIRED"),
    "CAPACITY_VERIFIED": (False, "ASSIGNMENT_PENDING MANUAL_REVIEW CANCELLED EXPIRED"),
    "ASSIGNMENT_PENDING": (False, "ASSIGNMENT_IN_PROGRESS MANUAL_REVIEW CANCELLED EXPIRED"),
    "ASSIGNMENT_IN_PROGRESS": (
        True,
        "CONFIRMED ASSIGNMENT_FAILED ASSIGNMENT_PENDING MANUAL_REVIEW CANCELLED",
    ),
    "ASSIGNMENT_FAILED": (False, "ASSIGNMENT_PENDING MANUAL_REVIEW CANCELLED EXPIRED"),
    "MANUAL_REVIEW": (False, "ASSIGNMENT_PENDING CONFIRMED CANCELLED EXPIRED"),
    "CONFIRMED": (True, "CHECKED_IN CANCELLED COMPLETED NO_SHOW MANUAL_REVIEW"),
    "CHECKED_IN": (True, "COMPLETED CANCELLED"),
    "COMPLETED": (False, ""),
    "CANCELLED": (False, ""),
    "NO_SHOW": (False, ""),
    "EXPIRED": (False, ""),
}
PAIRS = list(product(TABLE, TABLE))
NOW = datetime(2027, 2, 3, 12, tzinfo=UTC)


def test_there_is_no_other_status() -> None:
    assert {status.value for status in Status} == set(TABLE)


@pytest.mark.parametrize(("origin", "target"), PAIRS)
def test_every_pair_of_statuses(origin: str, target: str) -> None:
    allowed = TABLE[origin][1].split()
    if target in allowed:
        assert check_step(Status(origin), Status(target)) is Status(target)
        return
    with pytest.raises(InvalidTransition) as refusal:
        check_step(Status(origin), Status(target))
    fields = refusal.value.fields
    assert (fields["from"], fields["to"]) == (origin, target)
    assert sorted(fields["allowed"]) == sorted(allowed)
    assert all(each in refusal.value.detail for each in (origin, target, *allowed))


@pytest.mark.parametrize("status", TABLE)
def test_who_occupies_and_who_is_at_the_end(status: str) -> None:
    occupies, onward = TABLE[status]
    assert (Status(status) in states.OCCUPYING) is occupies
    assert (Status(status) in states.TERMINAL) is (not onward)


def test_what_expires_can_become_expired_and_occupies_until_then() -> None:
    assert {Status.HELD, Status.PENDING, Status.PENDING_APPROVAL} == states.EXPIRING
    assert all("EXPIRED" in TABLE[status][1].split() and TABLE[status][0] for status in states.EXPIRING)


@pytest.mark.parametrize(
    ("lifecycle", "status"),
    [
        ("instant", "RESERVED"),
        ("deposit", "PENDING"),
        ("approval", "PENDING_APPROVAL"),
        ("assigned", "RESERVED"),
    ],
)
def test_where_a_booking_starts(lifecycle: str, status: str) -> None:
    policy = Policy.model_validate({"lifecycle": lifecycle})
    assert initial_status(policy, hold=False) == status
    assert initial_status(policy, hold=True) == "HELD"
    assert initial_status(policy, hold=False, seated=True) == "CHECKED_IN"


def test_the_database_knows_the_same_statuses() -> None:
    schema = (Path(__file__).parents[2] / "schema.sql").read_text()
    known = schema.partition("CONSTRAINT booking_status_is_known CHECK (status IN (")[2].partition("))")[0]
    assert {each.strip().strip("'") for each in known.split(",")} == set(TABLE)


@pytest.mark.parametrize(
    ("status", "minutes"),
    [
        ("HELD", 2), ("PENDING", 30), ("PENDING_APPROVAL", 240), ("RESERVED", None), ("CONFIRMED", None),
        ("CHECKED_IN", None), ("MANUAL_REVIEW", None), ("CANCELLED", None),
    ],
)  # fmt: skip
def test_when_it_expires(status: str, minutes: int | None) -> None:
    policy = Policy(hold_ttl_seconds=120, payment_deadline_minutes=30, approval_ttl_hours=4)
    expires = expiry_of(Status(status), policy=policy, now=NOW, start=NOW + timedelta(days=1))
    assert expires == (None if minutes is None else NOW + timedelta(minutes=minutes))


def test_a_request_for_approval_expires_at_its_start_at_the_latest() -> None:
    start = NOW + timedelta(hours=1)
    assert expiry_of(Status.PENDING_APPROVAL, policy=Policy(), now=NOW, start=start) == start


@pytest.mark.parametrize(
    ("status", "due"),
    [
        ("HELD", "expires"), ("PENDING", "expires"), ("PENDING_APPROVAL", "expires"), ("RESERVED", "grace"),
        ("CONFIRMED", "grace"), ("CHECKED_IN", "end"), ("COMPLETED", None), ("CANCELLED", None), ("NO_SHOW", None),
        ("EXPIRED", None), ("MANUAL_REVIEW", None), ("ASSIGNMENT_PENDING", None),
    ],
)  # fmt: skip
def test_when_a_tick_looks_at_it(status: str, due: str | None) -> None:
    start, end, expires = NOW + timedelta(hours=2), NOW + timedelta(hours=4), NOW + timedelta(hours=1)
    whens = {"expires": expires, "grace": start + timedelta(minutes=20), "end": end, None: None}
    policy = Policy(no_show_grace_minutes=20)
    assert due_of(Status(status), policy=policy, start=start, end=end, expires=expires) == whens[due]


def test_a_policy_can_leave_no_show_and_completion_to_people() -> None:
    policy = Policy(auto_complete=False, auto_no_show=False)
    for status in (Status.CHECKED_IN, Status.RESERVED, Status.CONFIRMED):
        assert due_of(status, policy=policy, start=NOW, end=NOW, expires=None) is None


def test_who_occupies_something_is_counted_among_those_who_arrive() -> None:
    assert sorted(COUNTED) == sorted(states.OCCUPYING)
