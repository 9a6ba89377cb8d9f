"""Checks of replies: every acknowledged booking exists, and each idempotency key has one result."""

from __future__ import annotations

import json

from holdfast.audit.check import Check
from holdfast.audit.trail import TYPES
from holdfast.kernel.db.idempotency import DONE
from holdfast.kernel.money import CURRENCIES, minor_units

DECIMALS = json.dumps({currency: minor_units(currency) for currency in sorted(CURRENCIES)})

# What the replies with code $1 (DONE) say about a booking. Replies about something else, such as a series, have no
# reference. OFFSET 0: each body is parsed only once.
REPLY = """
    reply AS MATERIALIZED (
        SELECT tenant_id, operation, key, subject_id,
               CASE WHEN told ->> 'id' ~ '^[0-9a-f-]{36}$' THEN (told ->> 'id')::uuid END AS booking_id,
               told ->> 'version' AS version, told ->> 'status' AS status,
               told ->> 'booking_reference' AS reference, told ->> 'venue_id' AS venue_id,
               told ->> 'total_price' AS total_price, told ->> 'currency' AS currency
          FROM (SELECT *, body::jsonb AS told FROM idempotency WHERE code = $1::text OFFSET 0) AS kept
         WHERE told ? 'booking_reference'
    )"""

LOST = f"""
    WITH {REPLY}, known AS (
        SELECT tenant_id, booking_id, 'a history' AS known_from FROM booking_history
         UNION ALL
        SELECT tenant_id, subject_id, 'an event' FROM event WHERE event_type = ANY ($2::text[])
         UNION ALL
        SELECT tenant_id, booking_id, 'the reply to ' || operation || ' ' || key FROM reply
    )
    SELECT DISTINCT known.tenant_id, known.booking_id, known.known_from
      FROM known
      LEFT JOIN booking ON booking.tenant_id = known.tenant_id AND booking.id = known.booking_id
     WHERE booking.id IS NULL
"""

UNKEPT = f"""
    WITH {REPLY}
    SELECT reply.tenant_id, reply.operation, reply.key, reply.booking_id, reply.version, reply.status,
           step.to_status AS status_in_history
      FROM reply
      JOIN booking ON booking.tenant_id = reply.tenant_id AND booking.id = reply.booking_id
      LEFT JOIN booking_history AS step ON step.tenant_id = reply.tenant_id
                                       AND step.booking_id = reply.booking_id
                                       AND step.version::text = reply.version
     WHERE step.to_status IS DISTINCT FROM reply.status
"""

# The booking may have changed since; its first event still has the price in the reply.
CREATED = f"""
    WITH {REPLY}
    SELECT reply.tenant_id, reply.key, reply.subject_id, reply.booking_id, reply.reference,
           booking.reference AS booking_reference, booking.idempotency_key AS booking_key,
           reply.total_price, event.payload ->> 'total_minor' AS total_minor
      FROM reply
      JOIN booking ON booking.tenant_id = reply.tenant_id AND booking.id = reply.booking_id
      LEFT JOIN event ON event.tenant_id = booking.tenant_id AND event.subject_id = booking.id
                     AND event.event_type = 'booking.created'
     WHERE reply.operation = 'create'
       AND (reply.subject_id IS DISTINCT FROM booking.id
            OR booking.idempotency_key IS DISTINCT FROM reply.key
            OR reply.reference IS DISTINCT FROM booking.reference
            OR reply.venue_id IS DISTINCT FROM booking.venue_id::text
            OR reply.version IS DISTINCT FROM '1'
            OR event.id IS NOT NULL
               AND (reply.total_price::numeric
                        * power(10::numeric, ($2::text::jsonb ->> reply.currency)::integer)
                        IS DISTINCT FROM (event.payload ->> 'total_minor')::numeric
                    OR reply.currency IS DISTINCT FROM event.payload ->> 'currency'))
"""

SEVERAL_REPLIES = """
    SELECT tenant_id, operation, key, count(*) AS replies
      FROM idempotency
     GROUP BY tenant_id, operation, key
    HAVING count(*) > 1
"""

# While a reply is stored, a repeated key gets it; after that the key may be used for another booking.
SEVERAL_BOOKINGS = """
    SELECT reply.tenant_id, reply.key, reply.code, reply.subject_id AS answered_booking_id,
           booking.id AS booking_id, booking.created_at
      FROM idempotency AS reply
      JOIN booking ON booking.tenant_id = reply.tenant_id AND booking.idempotency_key = reply.key
     WHERE reply.operation = 'create'
       AND booking.created_at >= reply.created_at AND booking.created_at < reply.expires_at
       AND booking.id IS DISTINCT FROM reply.subject_id
"""

REPLIES = (
    Check(
        "acknowledged_bookings_exist",
        "Every booking mentioned in a history, an event or a stored reply exists.",
        LOST,
        (DONE, TYPES),
    ),
    Check(
        "acknowledged_changes_are_kept",
        "The version and status in every stored reply are in the booking's history.",
        UNKEPT,
        (DONE,),
    ),
    Check(
        "replies_tell_of_their_booking",
        "The stored reply to a creation has the booking's id, reference, venue, key and first price.",
        CREATED,
        (DONE, DECIMALS),
    ),
    Check(
        "keys_have_one_reply", "No idempotency key of an operation has two stored replies.", SEVERAL_REPLIES
    ),
    Check(
        "keys_have_one_booking",
        "While the reply to an idempotency key is stored, the key creates no other booking.",
        SEVERAL_BOOKINGS,
    ),
)
