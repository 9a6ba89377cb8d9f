"""What can be wrong with the ledger."""

from __future__ import annotations

from tests.audit.harm.parts import Harm, booking, claim, claimed, drop

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
        "claims_show_what_they_are_for",
        "a hold looks confirmed",
        claim("state = 'confirmed'", "held"),
    ),
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
        INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, state)
        SELECT tenant_id, resource_id, unit, tstzrange(upper({OF_LATER}), upper({OF_LATER}) + interval '1 minute'),
               'block', gen_random_uuid(), 'blocked'
          FROM claim JOIN booking USING (tenant_id)
         WHERE booking.id = owner_id AND special_requests = 'later'""",
        also=("claims_of_blocks_have_their_block",),
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
        also=("bookings_need_no_more_than_there_is",),
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
        INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, state)
        SELECT id, gen_random_uuid(), 1, tstzrange('2090-01-01', '2090-01-02'), 'block', gen_random_uuid(),
               'blocked'
          FROM tenant LIMIT 1 RETURNING resource_id""",
        without=drop("claim", "claim_resource_exists"),
        also=("claims_of_blocks_have_their_block",),
    ),
    Harm("claims_have_an_owner", "a claim of nobody", ORPHAN),
    Harm("claims_have_an_owner", "cleaning after nobody", ORPHAN.replace("'booking'", "'cleaning'")),
    Harm("claims_show_what_they_are_for", "cleaning looks blocked", claim("state = 'blocked'", "cleaned")),
    Harm(
        "cleaning_follows_a_visit",
        "it takes longer than agreed",
        claim("during = tstzrange(lower(during), upper(during) + interval '1 second')", "cleaned"),
    ),
    Harm(
        "cleaning_follows_a_visit",
        "it begins before the party leaves",
        claim("during = tstzrange(lower(during) - interval '1 second', upper(during))", "called away"),
    ),
    Harm("cleaning_follows_a_visit", "it expires", claim("expires_at = now() + interval '1 day'", "cleaned")),
    Harm(
        "cleaning_follows_a_visit",
        "of another resource",
        claimed(
            "cleaned",
            resource="l1",
            kind="cleaning",
            during="tstzrange(b.completed_at, b.completed_at + '1 s')",
        ),
    ),
    Harm(
        "cleaning_follows_a_visit",
        "after a party that is still there",
        claimed("seated", resource="s1", unit="9", kind="cleaning", during=FAR),
    ),
    Harm(
        "cleaning_follows_a_visit",
        "after a party that never came",
        booking("checked_in_at = NULL", "called away"),
    ),
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
        "bookings_hold_what_was_booked",
        "a hall without one of its courts",
        "DELETE FROM claim USING booking, resource WHERE booking.id = owner_id AND special_requests = 'hall'"
        " AND resource.id = resource_id AND resource.slug = 'c2' RETURNING owner_id",
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "three guests on two stools",
        "DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'stools' AND unit = 3"
        " RETURNING owner_id",
    ),
    Harm(
        "claims_are_on_units_that_exist",
        "a claim on a hall itself",
        "UPDATE claim SET resource_id = hall.id FROM booking, resource AS hall WHERE booking.id = owner_id"
        " AND special_requests = 'hall' AND hall.slug = 'hall' AND claim.resource_id = ("
        "SELECT id FROM resource AS c1 WHERE c1.slug = 'c1' AND c1.venue_id = hall.venue_id) RETURNING owner_id",
        also=("bookings_hold_what_was_booked",),
    ),
    Harm(
        "promised_types_are_held",
        "a promise without a room",
        "DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'promised'"
        " RETURNING owner_id",
    ),
    Harm(
        "promised_types_are_held",
        "a promise of a room of another type",
        "UPDATE claim SET resource_id = counter.id, unit = 8 FROM booking, resource AS counter"
        " WHERE booking.id = owner_id AND special_requests = 'promised' AND counter.slug = 'counter'"
        " AND counter.venue_id = booking.venue_id RETURNING owner_id",
    ),
    Harm(
        "promised_types_are_held",
        "a guest who is there and whose room may still move",
        claim("owner_kind = 'unbound'", "bound"),
        also=("bookings_hold_what_was_booked",),
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
