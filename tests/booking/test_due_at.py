from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.booking.model import due_of
from holdfast.booking.states import Status
from holdfast.place.policy import Policy

START = datetime(2027, 5, 6, 19, tzinfo=UTC)
END = START + timedelta(hours=2)


@pytest.mark.parametrize("status", [Status.RESERVED, Status.CONFIRMED])
@pytest.mark.parametrize(
    ("policy", "due"),
    [
        (Policy(no_show_grace_minutes=20), START + timedelta(minutes=20)),
        (Policy(no_show_grace_minutes=20, auto_no_show=False), None),
    ],
)
def test_who_stays_away_is_a_no_show_after_the_grace_unless_staff_alone_say_so(
    status: Status, policy: Policy, due: datetime | None
) -> None:
    assert due_of(status, policy=policy, start=START, end=END, expires=None) == due
