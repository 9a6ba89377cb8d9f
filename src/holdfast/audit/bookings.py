"""Checks of bookings on their own: each is consistent in itself."""

from __future__ import annotations

from holdfast.audit.check import Check
from holdfast.booking.deciding.decide import REFERENCE_ALPHABET, REFERENCE_CHARS
from holdfast.booking.states import EXPIRING, TRANSITIONS, UNDONE
from holdfast.kernel.money import CURRENCIES

POSSIBLE = """
    SELECT tenant_id, id AS booking_id, status, version, start_at, end_at, party_size
      FROM booking
     WHERE status <> ALL ($1::text[]) OR version < 1 OR start_at >= end_at OR party_size < 1
"""

VENUE = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.venue_id, venue.tenant_id AS venue_tenant_id
      FROM booking
      LEFT JOIN tenant ON tenant.id = booking.tenant_id
      LEFT JOIN venue ON venue.id = booking.venue_id
     WHERE tenant.id IS NULL OR venue.tenant_id IS DISTINCT FROM booking.tenant_id
"""

RESOURCES = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.venue_id, named.resource_id,
           resource.venue_id AS resource_venue_id, resource.tenant_id AS resource_tenant_id
      FROM booking
     CROSS JOIN unnest(booking.resource_ids) AS named (resource_id)
      LEFT JOIN resource ON resource.id = named.resource_id
     WHERE resource.venue_id IS DISTINCT FROM booking.venue_id
        OR resource.tenant_id IS DISTINCT FROM booking.tenant_id
        OR cardinality(array_positions(booking.resource_ids, named.resource_id)) > 1
"""

PRICE = """
    SELECT tenant_id, id AS booking_id, base_minor, tax_minor, discount_minor, total_minor, currency
      FROM booking
     WHERE total_minor <> base_minor + CASE WHEN tax_included THEN 0 ELSE tax_minor END - discount_minor
        OR least(base_minor, tax_minor, discount_minor, total_minor) < 0 OR discount_minor > base_minor
        OR currency <> ALL ($1::text[])
"""

# Bookings from before there were lines have none. Quantities have six decimals, and amounts none.
PRICE_LINES = """
    SELECT tenant_id, id AS booking_id, base_minor, price_lines
      FROM booking
     WHERE price_lines <> '[]'
       AND (base_minor <> (SELECT sum((line ->> 'amount_minor')::bigint)
                             FROM jsonb_array_elements(price_lines) AS line)
            OR EXISTS (SELECT FROM jsonb_array_elements(price_lines) AS line
                        WHERE abs((line ->> 'quantity')::numeric * (line ->> 'unit_minor')::numeric
                                  - (line ->> 'amount_minor')::numeric)
                            > 1 + (line ->> 'unit_minor')::numeric * 0.000001))
"""

# The lines of an item are among those of the order; an item that was cancelled keeps its own.
ITEMS = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.party_size, booking.resource_ids, booking.items
      FROM booking
     CROSS JOIN LATERAL (
           SELECT array_agg(DISTINCT of_item.id ORDER BY of_item.id) FILTER (WHERE of_item.id IS NOT NULL) AS ids,
                  bool_and(booking.price_lines @> (item -> 'lines')) AS are_priced
             FROM jsonb_array_elements(booking.items) AS item
             LEFT JOIN LATERAL (SELECT jsonb_array_elements_text(item -> 'resource_ids')::uuid AS id) AS of_item ON true
            WHERE NOT (item ->> 'is_cancelled')::boolean) AS there
     CROSS JOIN LATERAL (
           SELECT sum((item ->> 'party_size')::bigint) AS guests
             FROM jsonb_array_elements(booking.items) AS item
            WHERE NOT (item ->> 'is_cancelled')::boolean) AS counted
     WHERE booking.items <> '[]'
       AND (counted.guests IS DISTINCT FROM booking.party_size OR NOT there.are_priced
            OR there.ids IS DISTINCT FROM (SELECT array_agg(id ORDER BY id) FROM unnest(booking.resource_ids) AS id))
"""

# For a venue that was never changed, the policy is the one the booking was made under. For others only the bounds are
# known: a grace of at most a week, and no tick at all if staff record no-shows and departures themselves.
DUE = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.status, booking.start_at, booking.end_at,
           booking.expires_at, booking.due_at
      FROM booking
      LEFT JOIN venue ON venue.tenant_id = booking.tenant_id AND venue.id = booking.venue_id
     WHERE NOT coalesce(CASE
           WHEN status = ANY ($1::text[]) THEN due_at = expires_at
           WHEN expires_at IS NOT NULL THEN false
           WHEN status IN ('RESERVED', 'CONFIRMED') AND venue.version = 1
               THEN due_at IS NOT DISTINCT FROM CASE WHEN coalesce((policy ->> 'auto_no_show')::boolean, true)
                    THEN start_at + make_interval(mins => (policy ->> 'no_show_grace_minutes')::integer) END
           WHEN status IN ('RESERVED', 'CONFIRMED')
               THEN due_at IS NULL OR due_at BETWEEN start_at AND start_at + interval '7 days'
           WHEN status = 'CHECKED_IN' AND venue.version = 1
               THEN due_at IS NOT DISTINCT FROM CASE WHEN coalesce((policy ->> 'auto_complete')::boolean, true)
                    THEN end_at END
           WHEN status = 'CHECKED_IN' THEN due_at IS NULL OR due_at = end_at
           ELSE due_at IS NULL
           END, false)
"""

WALL_TIME = """
    SELECT tenant_id, id AS booking_id, start_at, local_start, end_at, local_end, timezone
      FROM booking
     WHERE local_start <> start_at AT TIME ZONE timezone OR local_end <> end_at AT TIME ZONE timezone
"""

STAMPS = """
    SELECT tenant_id, id AS booking_id, status, confirmed_at, checked_in_at, completed_at, cancelled_at,
           cancelled_by
      FROM booking
     WHERE status = 'CONFIRMED' AND confirmed_at IS NULL
        OR status = 'CHECKED_IN' AND checked_in_at IS NULL
        OR (status = 'COMPLETED') <> (completed_at IS NOT NULL) OR completed_at < checked_in_at
        OR (status = 'CANCELLED') <> (cancelled_at IS NOT NULL)
        OR (status = 'CANCELLED') <> (cancelled_by IS NOT NULL)
"""

ADDRESSES = """
    SELECT tenant_id, id AS booking_id, status
      FROM booking
     WHERE hold_ip IS NOT NULL AND status <> 'HELD'
"""

COUNTED = """
    SELECT tenant_id, id AS booking_id, status
      FROM booking
     WHERE (booked_ip IS NOT NULL OR booked_groups <> '{}') AND status = ANY ($1::text[])
"""

REFERENCE = (
    rf"^BR-[0-9]{{4}}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])-[{REFERENCE_ALPHABET}]{{{REFERENCE_CHARS}}}$"
)
WELL_FORMED = """
    SELECT tenant_id, id AS booking_id, reference
      FROM booking
     WHERE reference !~ $1::text
"""

UNIQUE = """
    SELECT tenant_id, reference, array_agg(id) AS booking_ids
      FROM booking
     GROUP BY tenant_id, reference
    HAVING count(*) > 1
"""

BOOKINGS = (
    Check(
        "bookings_are_possible",
        "Every booking has a known status, a positive version, a positive duration and at least one guest.",
        POSSIBLE,
        (sorted(TRANSITIONS),),
    ),
    Check("bookings_are_at_a_venue_of_their_tenant", "A booking's venue belongs to its tenant.", VENUE),
    Check(
        "bookings_are_on_resources_of_their_venue",
        "A booking's resources belong to its venue and tenant, without duplicates.",
        RESOURCES,
    ),
    Check(
        "prices_add_up",
        "The total is base plus tax (unless included) minus discount, which is at most the base. No amount is "
        "negative, and the currency exists.",
        PRICE,
        (sorted(CURRENCIES),),
    ),
    Check(
        "orders_are_the_sum_of_their_items",
        "An order has the guests, the resources and the lines of the price of its items that are not cancelled.",
        ITEMS,
    ),
    Check(
        "price_lines_add_up",
        "The lines of a price add up to its base, and each is its quantity times its unit price.",
        PRICE_LINES,
    ),
    Check(
        "bookings_are_due_when_their_status_says",
        "Only statuses that expire have an expiry, and each booking is due when its status requires.",
        DUE,
        (sorted(EXPIRING),),
    ),
    Check(
        "wall_times_agree_with_instants",
        "The wall time of a booking is its instant in its time zone.",
        WALL_TIME,
    ),
    Check(
        "stamps_fit_the_status",
        "Confirmed, checked-in, completed and cancelled bookings say since when, and cancelled ones also by whom.",
        STAMPS,
    ),
    Check(
        "addresses_are_kept_of_holds_alone",
        "Only holds keep the client's network address; it is deleted when the hold ends.",
        ADDRESSES,
    ),
    Check(
        "what_is_undone_counts_for_nobody",
        "Bookings that were cancelled or expired have no address and no groups that rules of fair use count them for.",
        COUNTED,
        (sorted(UNDONE),),
    ),
    Check(
        "references_are_well_formed",
        "References have the form BR-YYYYMMDD-XXXXXX.",
        WELL_FORMED,
        (REFERENCE,),
    ),
    Check("references_are_unique", "No two bookings of a tenant have the same reference.", UNIQUE),
)
