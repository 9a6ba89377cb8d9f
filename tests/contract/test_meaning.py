"""What makes two requests with one idempotency key the same: what they say, however it is written."""

from holdfast.booking.routes.creating import CreateBooking
from holdfast.kernel.http import meaning, parse

RAW = b"""{
    "venue_id": "01A22ED6-C147-7273-9249-583D8B67EAC1", "idempotency_key": "one",
    "booking_time": "19:00", "booking_date": "2030-05-04", "guest_name": null, "hold": true,
    "metadata": {"b": 1, "a": 2},
    "items": [{"party_size": 2, "preferences": {"zones": ["hall"]}}, {"party_size": 3, "group": "booth"}],
    "extras": [{"quantity": 2, "id": "cake"}]
}"""
MEANS = (
    b'{"booking_date":"2030-05-04","booking_time":"19:00","extras":[{"id":"cake","quantity":2}],'
    b'"guest_name":null,"hold":true,"items":[{"party_size":2,"preferences":{"zones":["hall"]}},'
    b'{"group":"booth","party_size":3}],'
    b'"metadata":{"a":2,"b":1},"venue_id":"01a22ed6-c147-7273-9249-583d8b67eac1"}'
)
"""Stored hashes are made of these bytes: in other bytes a repeated request would be another."""


def test_a_request_means_what_it_says_without_its_key():
    assert meaning(parse(RAW, CreateBooking)) == MEANS


def test_no_key_is_part_of_the_meaning():
    other = RAW.replace(b'"one"', b'"another"')
    assert meaning(parse(other, CreateBooking)) == MEANS
