"""Example bodies of the operations that most clients need, for readers of the OpenAPI document."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_VENUE = "0197a3f2-7d1c-7a51-9d10-4a8f0b6c2e11"
_TABLE = "0197a3f2-7d1c-7a53-8c02-1b7d9e5f3a20"
_GUEST = {"guest_name": "Gina Larsson", "guest_email": "gina@example.com"}

EXAMPLES: dict[str, dict[str, Json]] = {
    "create_booking": {
        "Best fit at an instant": {
            "venue_id": _VENUE,
            "start": "2027-03-12T19:00:00+01:00",
            "party_size": 2,
            **_GUEST,
        },
        "A named table at the venue's time": {
            "venue_id": _VENUE,
            "booking_date": "2027-03-12",
            "booking_time": "19:00",
            "duration_minutes": 120,
            "party_size": 4,
            "resource_ids": [_TABLE],
            **_GUEST,
        },
        "By the window, in a slot": {
            "venue_id": _VENUE,
            "date": "2027-03-12",
            "slot_id": "late",
            "party_size": 2,
            "preferences": {"zones": ["window"]},
            "special_requests": "A high chair, please.",
        },
    },
    "update_booking": {
        "Another time": {"expected_version": 1, "start": "2027-03-12T20:00:00+01:00"},
        "Another party": {"expected_version": 1, "party_size": 5},
    },
    "confirm_booking": {"The hold as it was read": {"expected_version": 1}},
    "cancel_booking": {"Cancel": {"expected_version": 2, "reason": "Fell ill"}},
    "change_booking_status": {"Check in": {"to": "CHECKED_IN", "expected_version": 2}},
    "create_walk_in": {"Two at the door": {"venue_id": _VENUE, "party_size": 2}},
    "check_availability": {
        "Two for ninety minutes": {
            "venue_id": _VENUE,
            "start": "2027-03-12T19:00:00+01:00",
            "duration_minutes": 90,
            "party_size": 2,
        }
    },
    "create_series": {
        "Every Tuesday, ten times": {
            "venue_id": _VENUE,
            "start": "2027-03-09T18:00:00+01:00",
            "party_size": 8,
            "rrule": "FREQ=WEEKLY;COUNT=10",
            "on_conflict": "skip",
            **_GUEST,
        }
    },
    "join_waitlist": {
        "Any time in the evening": {
            "venue_id": _VENUE,
            "party_size": 2,
            "earliest": "2027-03-12T18:00:00+01:00",
            "latest": "2027-03-12T20:00:00+01:00",
            **_GUEST,
        }
    },
    "create_block": {
        "A table under repair": {
            "venue_id": _VENUE,
            "resource_ids": [_TABLE],
            "start": "2027-03-12T10:00:00+01:00",
            "end": "2027-03-12T16:00:00+01:00",
            "reason": "The leg is loose",
        }
    },
    "import_venue": {
        "A small restaurant": {
            "slug": "osteria-nord",
            "name": "Osteria Nord",
            "timezone": "Europe/Stockholm",
            "currency": "SEK",
            "hours": {
                "weekly": [{"days": ["TU", "WE", "TH", "FR", "SA"], "open": "17:00", "close": "23:00"}]
            },
            "resources": [
                {"slug": "t1", "zone": "window", "seats_max": 2},
                {"slug": "t2", "seats_min": 2, "seats_max": 4},
            ],
        }
    },
}
"""By operation id and by name."""


def put_examples(document: Json) -> None:
    """Adds the examples to the operations that the document has."""
    for item in document["paths"].values():
        for operation in item.values():
            if shown := EXAMPLES.get(operation.get("operationId", "")):
                named = {name: {"summary": name, "value": value} for name, value in shown.items()}
                operation["requestBody"]["content"]["application/json"]["examples"] = named
