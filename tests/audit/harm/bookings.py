"""What can be wrong with a booking."""

from __future__ import annotations

from tests.audit.harm.parts import RETELL, Harm, booking, claim, drop

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
        + drop("channel", "channel_venue_exists")
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
        without=drop("booking", "booking_venue_exists")
        + ";"
        + drop("resource", "resource_venue_exists")
        + ";"
        + drop("channel", "channel_venue_exists"),
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
        booking(
            "base_minor = -100, tax_minor = 0, discount_minor = 0, total_minor = -100, price_lines = '[]'",
            "later",
        ),
        then=RETELL,
    ),
    Harm(
        "price_lines_add_up",
        "a line of another amount",
        booking("price_lines = jsonb_set(price_lines, '{0,amount_minor}', '1')", "later"),
    ),
    Harm(
        "price_lines_add_up",
        "a base of another amount",
        booking("base_minor = base_minor + 1, total_minor = total_minor + 1", "later"),
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
        "orders_are_the_sum_of_their_items",
        "another number of guests",
        booking("party_size = party_size + 1", "order"),
        then=RETELL,
    ),
    Harm(
        "orders_are_the_sum_of_their_items",
        "a line that was not charged",
        booking("items = jsonb_set(items, '{0,lines,0,amount_minor}', '1')", "order"),
    ),
    Harm(
        "orders_are_the_sum_of_their_items",
        "an item that is elsewhere",
        booking("items = jsonb_set(items, '{1,resource_ids,0}', to_jsonb(gen_random_uuid()))", "order"),
        also=("bookings_hold_what_was_booked",),
    ),
    Harm(
        "bookings_hold_what_was_booked",
        "one unit for two items",
        """
        DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'order'
           AND unit = (SELECT max(unit) FROM claim AS other WHERE other.owner_id = booking.id)
        RETURNING owner_id""",
    ),
    Harm(
        "addresses_are_kept_of_holds_alone",
        "a booking's address was kept",
        booking("hold_ip = '192.0.2.1'", "converted"),
    ),
    Harm(
        "what_is_undone_counts_for_nobody",
        "a cancelled booking counts for an address",
        booking("booked_ip = '192.0.2.1'", "cancelled"),
    ),
    Harm(
        "what_is_undone_counts_for_nobody",
        "a cancelled booking counts for a group",
        booking("booked_groups = '{members}'", "cancelled"),
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
