"""The policy document: its defaults, what it refuses, what it computes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.kernel.body import invalid_request
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.policy import Policy
from holdfast.place.prices.rules import PriceRule
from holdfast.place.venue import Resource
from holdfast.port.rates import Rate, Visit


def refused_fields(data: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate(data)
    return [each["field"] for each in invalid_request(caught.value).fields["errors"]]


def test_everything_has_a_default_and_a_description():
    policy = Policy()
    assert (policy.lifecycle, policy.slot_step_minutes, policy.hold_ttl_seconds) == ("instant", 15, 300)
    assert policy.max_advance_days == 365
    assert policy.offer_ttl_seconds == 900
    assert [name for name, field in Policy.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("value", ["15", 15.0, True, 0, 1441, None])
def test_numbers_are_whole_numbers_in_range(value: object):
    assert refused_fields({"slot_step_minutes": value}) == ["slot_step_minutes"]


@pytest.mark.parametrize("value", [1, "true", None])
def test_switches_are_true_or_false(value: object):
    assert refused_fields({"auto_complete": value}) == ["auto_complete"]


@pytest.mark.parametrize("value", [-1, 100.1, True, "NaN", "many", None])
def test_percentages_are_0_to_100(value: object):
    assert refused_fields({"deposit_percent": value}) == ["deposit_percent"]


@pytest.mark.parametrize("value", [7.7, "7.7", Decimal("7.7")])
def test_percentages_are_exact(value: object):
    assert Policy.model_validate({"tax_percent": value}).tax_percent == Decimal("7.7")


def test_unknown_fields_are_refused():
    assert refused_fields({"slot_step": 15}) == ["slot_step"]


def test_the_first_duration_that_fits_wins():
    policy = Policy.model_validate(
        {"durations": [{"party_size_max": 2, "minutes": 75}, {"party_size_max": 6, "minutes": 120}]}
    )
    assert [usual_minutes(policy, size) for size in (1, 2, 3, 6, 7)] == [75, 75, 120, 120, 90]


def test_durations_that_never_win_or_are_too_long_are_refused():
    durations = [{"party_size_max": 4, "minutes": 90}, {"party_size_max": 4, "minutes": 300}]
    data: dict[str, object] = {"durations": durations, "duration_minutes_max": 240}
    assert refused_fields(data) == ["durations.1.party_size_max", "durations.1.minutes"]


def test_it_survives_json_unchanged():
    rules = [{"per": "guest", "amount": "12.50", "days": ["FR"], "start": "18:00", "end": "24:00"}]
    policy = Policy.model_validate({"tax_percent": "7.7", "price_rules": rules})
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert policy.model_dump(mode="json")["price_rules"][0]["amount"] == "12.50"


@pytest.mark.parametrize("amount", [12.5, "-1", "a lot", True, "Infinity", None])
def test_amounts_are_decimal_strings(amount: object):
    field = "price_rules.0.amount"
    assert refused_fields({"price_rules": [{"per": "guest", "amount": amount}]}) == [field]


def test_a_price_rule_whose_party_is_upside_down_is_refused():
    rule = {"per": "guest", "amount": "1", "party_size_min": 5, "party_size_max": 4}
    assert refused_fields({"price_rules": [rule]}) == ["price_rules.0.party_size_min"]


LANE = Resource(
    id=new_id(), slug="l1", name="L1", kind="lane", zone="upstairs", seats_min=1, seats_max=4, units=1,
    buffer_before_minutes=0, buffer_after_minutes=0, attributes={}, hours=None, active=True, sort_order=0,
    position=None,
)  # fmt: skip


def matches(rule: dict[str, object], wall_start: datetime) -> bool:
    """Whether the rule is for four guests on a lane upstairs at that time."""
    found = PriceRule.model_validate({"per": "hour", "amount": "10", **rule})
    rate = Rate.of(found, 0, unit_minor=1000, tax_percent=Decimal(0))
    start = wall_start.replace(tzinfo=UTC)
    visit = Visit(Span(start, start + timedelta(hours=1)), 4)
    return rate.is_on(LANE) and rate.is_for(visit) and rate.covers(wall_start)


FRIDAY_EVENING = datetime.fromisoformat("2026-05-01T21:00")
SATURDAY_NIGHT = datetime.fromisoformat("2026-05-02T02:00")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, True),
        ({"kinds": ["lane", "room"]}, True),
        ({"kinds": ["table"]}, False),
        ({"zones": ["cellar"]}, False),
        ({"party_size_min": 4, "party_size_max": 4}, True),
        ({"party_size_min": 5}, False),
        ({"party_size_max": 3}, False),
        ({"days": ["FR"]}, True),
        ({"days": ["SA"]}, False),
        ({"start": "21:00"}, True),
        ({"start": "21:01"}, False),
        ({"end": "21:00"}, False),
        ({"start": "20:00", "end": "21:01"}, True),
    ],
)
def test_a_price_rule_matches_when_all_it_says_holds(rule: dict[str, object], expected: bool):
    assert matches(rule, FRIDAY_EVENING) is expected


def test_a_price_after_midnight_is_still_that_of_the_day_before():
    late = {"days": ["FR"], "start": "20:00", "end": "03:00"}
    assert matches(late, FRIDAY_EVENING)
    assert matches(late, SATURDAY_NIGHT)
    assert not matches(late, SATURDAY_NIGHT.replace(hour=3))
    assert not matches(late, SATURDAY_NIGHT.replace(hour=21))
