"""What can be wrong with histories and events."""

from __future__ import annotations

from tests.audit.harm.parts import (
    COPY_EVENT,
    COPY_STEP,
    Harm,
    booking,
    drop,
    event,
    history,
    payload,
    without_event,
    without_step,
)

TRAIL = (
    Harm(
        "histories_have_no_gaps",
        "the second of three is gone",
        without_step("changed", 2),
        then=without_event("changed", 2),
    ),
    Harm(
        "histories_have_no_gaps",
        "the first is gone",
        without_step("changed", 1),
        then=without_event("changed", 1),
    ),
    Harm(
        "histories_have_no_gaps",
        "one is there twice",
        """
        INSERT INTO booking_history
        SELECT h.* FROM booking_history h JOIN booking ON booking.id = booking_id
         WHERE special_requests = 'changed' AND h.version = 2 RETURNING booking_id""",
        without=drop("booking_history", "booking_history_pkey"),
    ),
    Harm(
        "histories_end_at_their_booking",
        "the booking was changed beside it",
        booking("updated_at = updated_at + interval '1 second'", "plain"),
    ),
    Harm(
        "histories_end_at_their_booking",
        "another status",
        booking("status = 'NO_SHOW'", "expired"),
    ),
    Harm(
        "histories_end_at_their_booking",
        "the last is gone",
        without_step("changed", 3),
        then=without_event("changed", 3),
        also=("acknowledged_changes_are_kept",),
    ),
    Harm(
        "histories_end_at_their_booking",
        "all of it is gone",
        without_step("later", 1),
        then=without_event("later", 1),
    ),
    Harm(
        "histories_end_at_their_booking",
        "it goes on after the booking",
        COPY_STEP.format(of="changed", version=4),
        also=("steps_have_one_event",),
    ),
    Harm(
        "steps_are_legal",
        "made from something",
        history("from_status = 'HELD'", "plain"),
        then=event(payload('{"from_status": "HELD"}'), "plain"),
    ),
    Harm(
        "steps_are_legal",
        "made as something that no booking begins as",
        history("to_status = 'MANUAL_REVIEW'", "approved"),
        then=event(payload('{"status": "MANUAL_REVIEW"}'), "approved")
        + ";"
        + history("from_status = 'MANUAL_REVIEW'", "approved", version=2)
        + ";"
        + event(payload('{"from_status": "MANUAL_REVIEW"}'), "approved", version=2),
    ),
    Harm(
        "steps_are_legal",
        "a step that the table doesn't know",
        history("action = 'status'", "changed", version=2),
        then=event("event_type = 'booking.status_changed'", "changed", version=2),
    ),
    Harm(
        "steps_are_legal",
        "an update that changes the status",
        history("action = 'update'", "approved", version=2),
        then=event("event_type = 'booking.updated'", "approved", version=2),
    ),
    Harm(
        "steps_are_legal",
        "a binding that changes the status",
        history("action = 'bind'", "approved", version=2),
        then=event("event_type = 'booking.updated'", "approved", version=2),
    ),
    Harm(
        "steps_are_legal",
        "made twice",
        history("action = 'create', from_status = NULL", "changed", version=2),
        then=event(
            "event_type = 'booking.created', " + payload('{"from_status": null}'), "changed", version=2
        ),
    ),
    Harm(
        "steps_are_legal",
        "made in no way",
        history("action = 'update', from_status = 'RESERVED'", "later"),
        then=event("event_type = 'booking.updated', " + payload('{"from_status": "RESERVED"}'), "later"),
    ),
    Harm(
        "steps_are_legal",
        "it doesn't begin where the one before ended",
        history("from_status = 'PENDING'", "confirmed", version=2),
        then=event(payload('{"from_status": "PENDING"}'), "confirmed", version=2),
    ),
    Harm("steps_have_one_event", "none", without_event("later", 1)),
    Harm(
        "steps_have_one_event",
        "two",
        COPY_EVENT.format(of="later", subject="subject_id", payload="{}", returning="subject_id"),
    ),
    Harm(
        "events_have_a_step",
        "of a version that never was",
        COPY_EVENT.format(of="plain", subject="subject_id", payload='{"version": 77}', returning="id"),
    ),
    Harm("events_fit_their_step", "another type", event("event_type = 'booking.updated'", "later")),
    Harm("events_fit_their_step", "another actor", event("actor = 'guest:mallory'", "later")),
    Harm("events_fit_their_step", "another instant", event("created_at = now()", "later")),
    Harm(
        "events_fit_their_step",
        "another status",
        event(payload('{"status": "CONFIRMED"}'), "later", version=1),
    ),
    Harm(
        "events_fit_their_step",
        "another status before",
        event(payload('{"from_status": "HELD"}'), "confirmed", version=2),
    ),
    Harm(
        "newest_events_tell_what_is_booked",
        "another venue",
        event("venue_id = gen_random_uuid()", "changed", version=3, returning="booking.id"),
        also=("channels_are_counted_in_commit_order",),
    ),
    *(
        Harm(
            "newest_events_tell_what_is_booked",
            f"another {what}",
            event(change, "changed", version=3, returning="booking.id"),
        )
        for what, change in (
            ("reference", payload('{"booking_reference": "BR-20260101-AAAAAA"}')),
            ("start", payload('{"start": "2026-01-01T00:00:00Z"}')),
            ("end", payload('{"end": null}')),
            ("place", payload('{"resource_ids": []}')),
            ("party", payload('{"party_size": 99}')),
            ("price", payload('{"total_minor": 1}')),
            ("currency", payload('{"currency": "EUR"}')),
        )
    ),
)
