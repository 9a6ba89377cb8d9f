"""What can be wrong with what was promised."""

from __future__ import annotations

from tests.audit.harm.parts import COPY_EVENT, Harm, body, booking, drop

REPLIES = (
    Harm(
        "acknowledged_bookings_exist",
        "a booking with a history is gone",
        "DELETE FROM booking WHERE special_requests = 'expired' RETURNING id",
    ),
    Harm(
        "acknowledged_bookings_exist",
        "a booking that was answered is gone",
        body(
            "jsonb_build_object('id', gen_random_uuid())", "key of cancel", returning="body::jsonb ->> 'id'"
        ),
    ),
    Harm(
        "acknowledged_bookings_exist",
        "a booking that an event told of is gone",
        COPY_EVENT.format(
            of="plain", subject="gen_random_uuid()", payload='{"version": 1}', returning="subject_id"
        ),
    ),
    Harm(
        "acknowledged_changes_are_kept",
        "a version that never was",
        body("""'{"version": 9}'""", "key of update"),
    ),
    Harm(
        "acknowledged_changes_are_kept",
        "a status that never was",
        body("""'{"status": "CONFIRMED"}'""", "key of cancel"),
    ),
    Harm(
        "replies_tell_of_their_booking",
        "another booking",
        "UPDATE idempotency SET subject_id = gen_random_uuid() WHERE key = 'key of plain' RETURNING subject_id",
        also=("keys_have_one_booking",),
    ),
    Harm(
        "acknowledged_bookings_exist",
        "a reply names nothing",
        body("""'{"id": "?"}'""", "key of cancel"),
    ),
    *(
        Harm(
            "replies_tell_of_their_booking",
            f"another {name}",
            body(f"""'{{"{name}": {value}}}'""", "key of plain"),
        )
        for name, value in (
            ("booking_reference", '"BR-20260101-AAAAAA"'),
            ("venue_id", '"01900000-0000-7000-8000-000000000000"'),
            ("total_price", '"0.01"'),
            ("currency", '"EUR"'),
        )
    ),
    Harm("replies_tell_of_their_booking", "another key", booking("idempotency_key = NULL", "plain")),
    Harm(
        "replies_tell_of_their_booking",
        "another version",
        body("""'{"version": 2}'""", "key of plain"),
        also=("acknowledged_changes_are_kept",),
    ),
    Harm(
        "keys_have_one_reply",
        "a second",
        "INSERT INTO idempotency SELECT * FROM idempotency WHERE key = 'key of cancel' RETURNING key",
        without=drop("idempotency", "idempotency_pkey"),
    ),
    Harm(
        "keys_have_one_booking",
        "a second",
        booking("idempotency_key = 'key of plain', created_at = now()", "later"),
    ),
    Harm(
        "keys_have_one_booking",
        "one where it was refused",
        booking("idempotency_key = 'key of refusal', created_at = now()", "later"),
    ),
)
