"""What can be wrong with a database: at least one harm for each check, done past all constraints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Harm:
    """`sql` does it, and answers an id that the check has to name. `without`: takes away first what is to
    prevent it; `then`: does what keeps other checks content; `also`: those that notice all the same."""

    check: str
    what: str
    sql: str
    without: str = ""
    then: str = ""
    also: tuple[str, ...] = ()


def drop(table: str, *constraints: str) -> str:
    return "; ".join(f"ALTER TABLE {table} DROP CONSTRAINT {each} CASCADE" for each in constraints)


def booking(what: str, of: str, *, returning: str = "id") -> str:
    return f"UPDATE booking SET {what} WHERE special_requests = '{of}' RETURNING {returning}"


def claim(what: str, of: str) -> str:
    return f"""
    UPDATE claim SET {what} FROM booking
     WHERE booking.id = owner_id AND special_requests = '{of}' RETURNING owner_id"""


def claimed(of: str, *, resource: str, unit: str = "1", during: str) -> str:
    """A claim more for a booking, on another resource of its venue."""
    return f"""
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at)
    SELECT b.tenant_id, r.id, {unit}, {during}, 'booking', b.id, b.expires_at
      FROM booking b JOIN resource r ON r.venue_id = b.venue_id AND r.slug = '{resource}'
     WHERE b.special_requests = '{of}' RETURNING owner_id"""


def event(what: str, of: str, *, version: int = 1, returning: str = "event.id") -> str:
    return f"""
    UPDATE event SET {what} FROM booking
     WHERE booking.id = subject_id AND special_requests = '{of}' AND payload ->> 'version' = '{version}'
     RETURNING {returning}"""


def history(what: str, of: str, *, version: int = 1) -> str:
    return f"""
    UPDATE booking_history SET {what} FROM booking
     WHERE booking.id = booking_id AND special_requests = '{of}' AND booking_history.version = {version}
     RETURNING booking_id"""


def body(changes: str, key: str, *, returning: str = "key") -> str:
    return f"UPDATE idempotency SET body = (body::jsonb || {changes})::text WHERE key = '{key}' RETURNING {returning}"


def payload(changes: str) -> str:
    return f"payload = payload || '{changes}'"


def without_step(of: str, version: int) -> str:
    return f"""
    DELETE FROM booking_history USING booking
     WHERE booking.id = booking_id AND special_requests = '{of}' AND booking_history.version = {version}
     RETURNING booking_id"""


def without_event(of: str, version: int) -> str:
    return f"""
    DELETE FROM event USING booking
     WHERE booking.id = subject_id AND special_requests = '{of}' AND payload ->> 'version' = '{version}'
     RETURNING subject_id"""


# The newest event of every booking tells what the booking says.
RETELL = """
    UPDATE event SET venue_id = b.venue_id, payload = payload || jsonb_build_object(
           'booking_reference', b.reference, 'start', b.start_at, 'end', b.end_at, 'party_size', b.party_size,
           'resource_ids', to_jsonb(b.resource_ids), 'total_minor', b.total_minor, 'currency', b.currency)
      FROM booking b WHERE subject_id = b.id AND payload ->> 'version' = b.version::text"""

COPY_EVENT = """
    INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at)
    SELECT event.tenant_id, gen_random_uuid(), event_type, event.venue_id, {subject}, payload || '{payload}',
           actor, event.created_at
      FROM event JOIN booking ON booking.id = subject_id
     WHERE special_requests = '{of}' AND payload ->> 'version' = '1' RETURNING {returning}"""

COPY_STEP = """
    INSERT INTO booking_history (tenant_id, booking_id, version, from_status, to_status, actor, action,
                                 metadata, created_at)
    SELECT h.tenant_id, booking_id, {version}, to_status, to_status, actor, 'update', h.metadata, h.created_at
      FROM booking_history h JOIN booking ON booking.id = booking_id
     WHERE special_requests = '{of}' AND h.version = booking.version RETURNING booking_id"""

OF_LATER = "(SELECT during FROM claim JOIN booking ON booking.id = owner_id WHERE special_requests = 'later')"
FAR = "tstzrange('2090-01-01', '2090-01-02')"
ORPHAN = f"""
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
    SELECT tenant_id, id, 1, {FAR}, 'booking', gen_random_uuid() FROM resource LIMIT 1 RETURNING owner_id"""
INTO_THE_ARCHIVE = f"""
    INSERT INTO claim_archive (tenant_id, resource_id, unit, during, owner_kind, owner_id, archived_at)
    SELECT tenant_id, id, 1, {FAR}, 'booking', gen_random_uuid(), now() FROM resource LIMIT 1 RETURNING owner_id"""

LEDGER = (
    Harm(
        "claims_never_overlap",
        "a claim reaches into another",
        claim(f"during = tstzrange(upper({OF_LATER}) - interval '1 minute', upper(during))", "last"),
        without=drop("claim", "claim_never_overlaps"),
    ),
    Harm(
        "claims_never_overlap",
        "two short ones lie in a long one",
        claim(f"during = tstzrange(lower({OF_LATER}) - interval '1 hour', upper(during))", "last"),
        without=drop("claim", "claim_never_overlaps"),
        then=f"""
        INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
        SELECT tenant_id, resource_id, unit, tstzrange(upper({OF_LATER}), upper({OF_LATER}) + interval '1 minute'),
               'block', gen_random_uuid()
          FROM claim JOIN booking USING (tenant_id)
         WHERE booking.id = owner_id AND special_requests = 'later'""",
    ),
    Harm(
        "claims_are_bounded_spans",
        "the end is part of it",
        claim("during = tstzrange(lower(during), upper(during), '[]')", "plain"),
        without=drop("claim", "claim_is_a_bounded_span"),
    ),
    Harm(
        "claims_are_bounded_spans",
        "there is no end",
        claim("during = tstzrange(lower(during), NULL)", "neighbour"),
        without=drop("claim", "claim_is_a_bounded_span"),
        also=("bookings_hold_what_was_booked",),
    ),
    Harm(
        "claims_are_bounded_spans",
        "the start is no part of it",
        claim("during = tstzrange(lower(during), upper(during), '()')", "plain"),
        without=drop("claim", "claim_is_a_bounded_span"),
    ),
    Harm(
        "claims_are_bounded_spans",
        "there is no start",
        claim("during = tstzrange(NULL, upper(during))", "neighbour"),
        without=drop("claim", "claim_is_a_bounded_span"),
        also=("bookings_hold_what_was_booked",),
    ),
    Harm(
        "claims_are_bounded_spans",
        "there is no time in it",
        claim("during = 'empty'", "neighbour"),
        without=drop("claim", "claim_is_a_bounded_span"),
        also=("bookings_hold_what_was_booked",),
    ),
    Harm("claims_are_on_units_that_exist", "a unit too many", claim("unit = 11", "section")),
    Harm(
        "claims_are_on_units_that_exist",
        "unit 0",
        claim("unit = 0", "plain"),
        without=drop("claim", "claim_unit_is_positive"),
    ),
    Harm(
        "claims_are_on_units_that_exist",
        "the resource was made smaller",
        """
        UPDATE resource SET units = 1, version = 2 FROM claim JOIN booking ON booking.id = owner_id
         WHERE resource.id = resource_id AND special_requests = 'neighbour' RETURNING owner_id""",
    ),
    Harm(
        "claims_are_on_units_that_exist",
        "the resource was removed",
        """
        UPDATE resource SET removed_at = now(), version = 2 FROM claim JOIN booking ON booking.id = owner_id
         WHERE resource.id = resource_id AND special_requests = 'lane' RETURNING owner_id""",
    ),
    Harm(
        "claims_are_on_units_that_exist",
        "there is no such resource",
        """
        INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
        SELECT id, gen_random_uuid(), 1, tstzrange('2090-01-01', '2090-01-02'), 'block', gen_random_uuid()
          FROM tenant LIMIT 1 RETURNING resource_id""",
        without=drop("claim", "claim_resource_exists"),
    ),
    Harm("claims_have_an_owner", "a claim of nobody", ORPHAN),
    Harm(
        "bookings_that_ended_hold_nothing",
        "a cancelled booking still claims",
        claimed("cancelled", resource="l1", during=FAR),
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "a claim is gone",
        "DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'plain'"
        " RETURNING owner_id",
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "one of two claims is gone",
        """
        DELETE FROM claim USING booking
         WHERE booking.id = owner_id AND special_requests = 'together' AND resource_id = resource_ids[2]
         RETURNING resource_id""",
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "a hold holds nothing",
        "DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'held'"
        " RETURNING owner_id",
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "a claim begins too late",
        claim("during = tstzrange(lower(during) + interval '1 second', upper(during))", "plain"),
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "a claim ends too early",
        claim("during = tstzrange(lower(during), upper(during) - interval '16 minutes')", "plain"),
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "two units instead of one",
        claimed("section", resource="s1", unit="9", during="tstzrange(b.start_at, b.end_at)"),
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "a claim is gone from the archive",
        "DELETE FROM claim_archive RETURNING owner_id",
    ),
    Harm(
        "bookings_hold_nothing_else",
        "a claim on another resource",
        claimed("plain", resource="l1", during="tstzrange(b.start_at, b.end_at)"),
    ),
    Harm(
        "bookings_hold_nothing_else",
        "a claim that goes on for days",
        claim("during = tstzrange(lower(during), upper(during) + interval '2 days')", "lane"),
    ),
    Harm(
        "bookings_hold_nothing_else",
        "a claim that begins days before",
        claim("during = tstzrange(lower(during) - interval '2 days', upper(during))", "lane"),
    ),
    Harm(
        "claims_expire_with_their_booking", "a booking's claim expires", claim("expires_at = now()", "plain")
    ),
    Harm("claims_expire_with_their_booking", "a hold's claim doesn't", claim("expires_at = NULL", "held")),
    Harm("archived_claims_were_over", "a future one was archived", INTO_THE_ARCHIVE),
)

BOOKINGS = (
    Harm(
        "bookings_are_possible",
        "no guests",
        booking("party_size = 0", "plain"),
        without=drop("booking", "booking_has_a_party"),
        then=RETELL,
    ),
    Harm(
        "bookings_are_possible",
        "no time",
        booking("start_at = end_at, local_start = local_end", "cancelled"),
        without=drop("booking", "booking_takes_time"),
        then=RETELL,
    ),
    Harm(
        "bookings_are_possible",
        "an unknown status",
        booking("status = 'LOST'", "no_show"),
        without=drop("booking", "booking_status_is_known"),
        also=("histories_end_at_their_booking",),
    ),
    Harm(
        "bookings_are_possible",
        "version 0",
        booking("version = 0", "expired"),
        also=("histories_end_at_their_booking",),
    ),
    Harm(
        "bookings_are_at_a_venue_of_their_tenant",
        "the venue is another tenant's",
        """
        WITH other AS (INSERT INTO tenant VALUES (gen_random_uuid(), 'other', 'Other', 1, now()) RETURNING id)
        UPDATE venue SET tenant_id = other.id FROM other, booking
         WHERE booking.venue_id = venue.id AND special_requests = 'unpaid' RETURNING booking.id""",
        without=drop("booking", "booking_venue_exists")
        + ";"
        + drop("resource", "resource_venue_exists")
        + ";"
        + drop("venue", "venue_tenant_exists"),
    ),
    Harm(
        "bookings_are_at_a_venue_of_their_tenant",
        "there is no such tenant",
        """
        DELETE FROM tenant USING booking
         WHERE tenant.id = booking.tenant_id AND special_requests = 'unpaid' RETURNING booking.id""",
        without=drop("venue", "venue_tenant_exists"),
    ),
    Harm(
        "bookings_are_at_a_venue_of_their_tenant",
        "there is no such venue",
        "DELETE FROM venue USING booking WHERE venue.id = venue_id AND special_requests = 'unpaid'"
        " RETURNING booking.id",
        without=drop("booking", "booking_venue_exists") + ";" + drop("resource", "resource_venue_exists"),
    ),
    Harm(
        "bookings_are_on_resources_of_their_venue",
        "the resource is of another venue",
        """
        UPDATE resource SET venue_id = gen_random_uuid() FROM booking
         WHERE resource.id = resource_ids[1] AND special_requests = 'lane' RETURNING booking.id""",
        without=drop("resource", "resource_venue_exists"),
    ),
    Harm(
        "bookings_are_on_resources_of_their_venue",
        "the resource is of another tenant",
        """
        WITH other AS (INSERT INTO tenant VALUES (gen_random_uuid(), 'other', 'Other', 1, now()) RETURNING id)
        UPDATE resource SET tenant_id = other.id FROM other, booking
         WHERE resource.id = resource_ids[1] AND special_requests = 'cancelled' RETURNING booking.id""",
        without=drop("resource", "resource_venue_exists")
        + ";"
        + drop("resource_join", "resource_join_a_exists", "resource_join_b_exists")
        + ";"
        + drop("claim", "claim_resource_exists"),
        also=("claims_are_on_units_that_exist",),
    ),
    Harm(
        "bookings_are_on_resources_of_their_venue",
        "there is no such resource",
        booking("resource_ids = ARRAY[gen_random_uuid()]", "cancelled", returning="resource_ids[1]"),
        then=RETELL,
    ),
    Harm(
        "bookings_are_on_resources_of_their_venue",
        "one is named twice",
        booking("resource_ids = resource_ids || resource_ids", "plain"),
        then=RETELL,
    ),
    Harm(
        "prices_add_up",
        "a total that is no sum",
        booking("total_minor = total_minor + 1", "later"),
        without=drop("booking", "booking_price_adds_up"),
        then=RETELL,
    ),
    Harm(
        "prices_add_up",
        "a negative price",
        booking("base_minor = -100, tax_minor = 0, discount_minor = 0, total_minor = -100", "later"),
        then=RETELL,
    ),
    Harm("prices_add_up", "an unknown currency", booking("currency = 'XXX'", "later"), then=RETELL),
    Harm("bookings_are_due_when_their_status_says", "nobody looks at it", booking("due_at = NULL", "plain")),
    Harm(
        "bookings_are_due_when_their_status_says",
        "somebody looks at it before its time",
        booking("due_at = start_at - interval '1 second'", "confirmed"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "a hold that is swept late",
        booking("due_at = expires_at + interval '1 hour'", "held"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "a hold for ever",
        booking("due_at = NULL, expires_at = NULL", "held"),
        without=drop("booking", "booking_hold_expires"),
        then=claim("expires_at = NULL", "held"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "a visit that ends too early",
        booking("due_at = start_at", "seated"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "a visit that never ends",
        booking("due_at = NULL", "seated"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "another grace than the venue ever had",
        booking("due_at = due_at + interval '1 minute'", "plain"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "somebody looks at it before its time, under rules that were changed",
        booking("due_at = start_at - interval '1 second'", "confirmed"),
        then="UPDATE venue SET version = 2",
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "a visit that ends too early, under rules that were changed",
        booking("due_at = start_at", "seated"),
        then="UPDATE venue SET version = 2",
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "one that ended is due",
        booking("due_at = now()", "cancelled"),
        without=drop("booking", "booking_that_ended_is_not_due"),
    ),
    Harm(
        "bookings_are_due_when_their_status_says",
        "one that ended expires",
        booking("expires_at = now()", "cancelled"),
    ),
    Harm(
        "wall_times_agree_with_instants",
        "the start is an hour off",
        booking("local_start = local_start + interval '1 hour'", "plain"),
    ),
    Harm(
        "wall_times_agree_with_instants",
        "the end is an hour off",
        booking("local_end = local_end + interval '1 hour'", "plain"),
    ),
    Harm("wall_times_agree_with_instants", "another zone", booking("timezone = 'Asia/Tokyo'", "plain")),
    Harm("stamps_fit_the_status", "confirmed at no time", booking("confirmed_at = NULL", "confirmed")),
    Harm("stamps_fit_the_status", "checked in at no time", booking("checked_in_at = NULL", "seated")),
    Harm("stamps_fit_the_status", "completed at no time", booking("completed_at = NULL", "completed")),
    Harm("stamps_fit_the_status", "completed and reserved", booking("completed_at = now()", "plain")),
    Harm("stamps_fit_the_status", "cancelled at no time", booking("cancelled_at = NULL", "cancelled")),
    Harm("stamps_fit_the_status", "cancelled and reserved", booking("cancelled_at = now()", "plain")),
    Harm("stamps_fit_the_status", "cancelled by nobody", booking("cancelled_by = NULL", "cancelled")),
    Harm(
        "addresses_are_kept_of_holds_alone",
        "a booking's address was kept",
        booking("hold_ip = '192.0.2.1'", "converted"),
    ),
    Harm(
        "references_are_well_formed",
        "a thirteenth month",
        booking("reference = 'BR-20261301-ABCDEF'", "later"),
        then=RETELL,
    ),
    Harm(
        "references_are_well_formed",
        "a letter that reads like a digit",
        booking("reference = 'BR-20261201-ABCDEO'", "later"),
        then=RETELL,
    ),
    Harm(
        "references_are_unique",
        "one for two",
        """
        UPDATE booking SET reference = other.reference FROM booking AS other
         WHERE booking.special_requests = 'later' AND other.special_requests = 'lane' RETURNING booking.id""",
        without=drop("booking", "booking_reference_is_unique"),
        then=RETELL,
    ),
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
    *(
        Harm(
            "newest_events_tell_what_is_booked",
            f"another {what}",
            event(change, "changed", version=3, returning="booking.id"),
        )
        for what, change in (
            ("venue", "venue_id = gen_random_uuid()"),
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

HARMS = (*LEDGER, *BOOKINGS, *TRAIL, *REPLIES)
