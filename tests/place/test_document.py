"""A venue as one document: what it accepts, and how it says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.kernel.errors import InvalidRequest
from holdfast.place.document import VenueDocument, parse_document
from holdfast.place.document_text import DEPTH_MAX, TEXT_BYTES_MAX, load_text

NORD: dict[str, Any] = {
    "slug": "osteria-nord",
    "name": "Osteria Nord",
    "timezone": "Europe/Stockholm",
    "resources": [{"slug": "t1", "seats_max": 4, "adjacent": ["t2"]}, {"slug": "t2", "seats_max": 6}],
}


def errors_of(**changes: Any) -> list[dict[str, Any]]:
    with pytest.raises(InvalidRequest) as caught:
        parse_document({**NORD, **changes})
    return caught.value.fields["errors"]


def fields_of(**changes: Any) -> list[str]:
    return [each["field"] for each in errors_of(**changes)]


def weekly(*rules: tuple[str, str, str]) -> dict[str, Any]:
    return {"weekly": [{"days": days.split(), "open": opens, "close": end} for days, opens, end in rules]}


def test_all_but_four_fields_have_a_default():
    document = parse_document(NORD)
    assert (document.kind, document.currency, document.hours.always_open) == ("restaurant", "EUR", True)
    table = document.resources[0]
    assert (table.name, table.kind, table.seats_min, table.units, table.active) == ("t1", "table", 1, 1, True)
    assert fields_of(slug=None, name=None) == ["slug", "name"]
    with pytest.raises(InvalidRequest) as caught:
        parse_document({})
    missing = {each["field"] for each in caught.value.fields["errors"]}
    assert missing == {"slug", "name", "timezone", "resources"}


def test_it_survives_export_and_import_unchanged():
    document = parse_document(
        {
            **NORD,
            "policy": {"price_rules": [{"per": "guest", "amount": "12.50"}]},
            "hours": {
                **weekly(("MO TU", "10:00", "24:00"), ("SU", "22:00", "04:00")),
                "exceptions": [
                    {"date": "2026-12-24", "closed": True},
                    {"date": "2026-12-31", "spans": [{"open": "18:00", "close": "03:00"}]},
                ],
            },
            "slots": [{"id": "slot_21_00", "name": "Late", "days": ["FR"], "start": "21:00", "minutes": 120}],
        }
    )
    again = parse_document(json.loads(document.model_dump_json()))
    assert again == document
    assert hash(again.hours) == hash(document.hours)


def test_joins_are_said_once_or_twice_and_count_once():
    resources = [
        {"slug": "b", "adjacent": [{"slug": "a", "seats_lost": 2}, "c"]},
        {"slug": "a", "adjacent": ["b"]},
        {"slug": "c"},
    ]
    assert parse_document({**NORD, "resources": resources}).edges() == {("a", "b"): 2, ("b", "c"): 0}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timezone": "Europe/Stokholm"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"currency": "sek"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"slug": "Osteria Nord"}, "slug"),
        ({"colour": "red"}, "colour"),
        ({"resources": [{"slug": "t1", "seats_min": 5, "seats_max": 4}]}, "resources.0.seats_min"),
        ({"resources": [{"slug": "t1"}, {"slug": "t1"}]}, "resources.1.slug"),
        ({"resources": [{"slug": "t1", "adjacent": ["t9"]}]}, "resources.0.adjacent.0"),
        ({"resources": [{"slug": "t1", "adjacent": ["t1"]}]}, "resources.0.adjacent.0"),
        ({"resources": [{"slug": "t1", "units": 1001}]}, "resources.0.units"),
        ({"resources": [{"slug": "t1", "kind": "boat"}]}, "resources.0.kind"),
        ({"resources": [{"slug": "t1", "attributes": {"note": "x" * 4096}}]}, "resources.0.attributes"),
        ({"resources": [{"slug": f"t{n}"} for n in range(5001)]}, "resources"),
        (
            {"hours": {"weekly": [{"days": ["MO", "X"], "open": "10:00", "close": "11:00"}]}},
            "hours.weekly.0.days.1",
        ),
        ({"hours": weekly(("MO", "10:60", "11:00"))}, "hours.weekly.0.open"),
        ({"hours": {"exceptions": [{"date": "2026-12-24"}]}}, "hours.exceptions.0"),
        ({"hours": {"exceptions": [{"date": 20, "closed": True}]}}, "hours.exceptions.0.date"),
        ({"policy": {"price_rules": [{"per": "night", "amount": "1.005"}]}}, "policy.price_rules.0.amount"),
    ],
)
def test_each_problem_names_its_field(changes: dict[str, Any], field: str):
    assert fields_of(**changes) == [field]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ([("MO", "10:00", "14:00"), ("MO", "13:00", "18:00")], "hours.weekly.1"),
        ([("MO", "22:00", "04:00"), ("TU", "03:00", "05:00")], "hours.weekly.1"),
        ([("MO", "03:00", "05:00"), ("SU", "22:00", "04:00")], "hours.weekly.0"),
        ([("MO MO", "10:00", "14:00")], "hours.weekly.0"),
        ([("MO", "10:00", "10:00"), ("TU", "09:00", "11:00")], "hours.weekly.1"),
    ],
)
def test_weekly_rules_must_not_overlap(rules: list[tuple[str, str, str]], field: str):
    assert fields_of(hours=weekly(*rules)) == [field]


def test_weekly_rules_may_touch():
    hours = weekly(("MO", "10:00", "14:00"), ("MO", "14:00", "02:00"), ("TU", "02:00", "24:00"))
    assert len(parse_document({**NORD, "hours": hours}).hours.weekly) == 3


def test_exceptions_and_slots_are_named_once():
    closed = {"date": "2026-12-24", "closed": True}
    slot = {"id": "late", "name": "Late", "start": "21:00", "minutes": 60}
    assert fields_of(hours={"exceptions": [closed, closed]}) == ["hours.exceptions.1.date"]
    assert fields_of(slots=[slot, slot]) == ["slots.1.id"]


def test_all_problems_come_at_once_with_what_is_allowed():
    resources = [{"slug": "t1", "adjacent": ["t9"]}, {"slug": "t1", "adjacent": ["t1"]}]
    found = errors_of(resources=resources, slots=[])
    assert {each["field"] for each in found} == {
        "resources.1.slug",
        "resources.0.adjacent.0",
        "resources.1.adjacent.0",
    }
    assert "must be the slug of a resource of this document" in [each["problem"] for each in found]


def test_shown_values_and_their_number_are_bounded():
    found = errors_of(slug="X" * 10_000, resources=[{"slug": "A"}] * 4000)
    assert len(found) == 50
    assert all(len(str(each["value"])) <= 101 for each in found)


def test_a_minor_unit_depends_on_the_currency():
    price = {"price_rules": [{"per": "night", "amount": "1.005"}]}
    assert parse_document({**NORD, "currency": "KWD", "policy": price}).currency == "KWD"


def test_yaml_and_json_say_the_same():
    text = """
    slug: nord
    name: Nord   # a comment
    timezone: Europe/Stockholm
    hours:
      weekly: [{days: [MO], open: 10:00, close: 22:30}]
      exceptions: [{date: 2026-12-24, closed: true}]
    resources: [{slug: t1, seats_max: 4, zone: null, position: {x: 1.5, y: -2}}]
    """
    data = load_text(text)
    assert data["hours"]["weekly"][0] == {"days": ["MO"], "open": "10:00", "close": "22:30"}
    assert load_text(json.dumps(data)) == data
    assert isinstance(parse_document(data), VenueDocument)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "just words",
        "{broken",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        "a: [1",
        "a: &x [1]\nb: *x",
        "a: !!python/object/apply:os.getcwd []",
        "a: " + "[" * 100_000,
        '{"a": ' + "[" * 100_000,
        "a: " + "[" * DEPTH_MAX + "]" * DEPTH_MAX,
        "a: \ud800",
        "a: " + "x" * TEXT_BYTES_MAX,
    ],
    ids=range(14),
)
def test_text_that_is_no_plain_document_is_refused(text: str):
    with pytest.raises(InvalidRequest) as caught:
        load_text(text)
    assert caught.value.fields["errors"][0]["field"] == "document"
