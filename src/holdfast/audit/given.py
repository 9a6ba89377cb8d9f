"""Checks of what is given away: never more than there is, by what the bookings say themselves."""

from __future__ import annotations

from holdfast.audit.check import Check
from holdfast.audit.ledger import BELOW, NAMED, OCCUPYING_STATUSES
from holdfast.booking.states import UNDONE
from holdfast.place.policies.overrides import OVERRULABLE

# The other checks compare bookings with their claims, and claims with each other. This one asks no claim, so that it
# also holds for resources that were changed. What bookings need that are there now or later can't be changed; what
# earlier ones needed can.
UNITS = f"""
    WITH {BELOW}, needed AS (
        SELECT booking.tenant_id, leaf.leaf_id, leaf.units AS there, booking.start_at, booking.end_at,
               CASE leaf.takes WHEN 'whole' THEN leaf.units WHEN 'guests' THEN named.guests ELSE named.items END
                   AS units
          FROM booking {NAMED}
          JOIN leaf ON leaf.tenant_id = booking.tenant_id AND leaf.resource_id = named.resource_id
         WHERE booking.status = ANY ($1::text[]) AND booking.start_at < booking.end_at AND booking.end_at > now()
    ), step AS (
        SELECT tenant_id, leaf_id, there, start_at AS at, units AS change FROM needed
         UNION ALL
        SELECT tenant_id, leaf_id, there, end_at, -units FROM needed
    ), added AS (
        SELECT *, sum(change) OVER (PARTITION BY tenant_id, leaf_id ORDER BY at, change
                                        ROWS UNBOUNDED PRECEDING) AS units
          FROM step
    )
    SELECT tenant_id, leaf_id AS resource_id, there AS units, max(units) AS units_needed, min(at) AS since
      FROM added
     WHERE units > there
     GROUP BY tenant_id, leaf_id, there
"""

# A stock may be lowered under bookings, which keep their extras, so only those made since the venue's last change are
# added up. What expires counts only until then, swept or not, which depends on the clock.
EXTRAS = """
    WITH taken AS (
        SELECT venue.tenant_id, venue.id AS venue_id, extra ->> 'id' AS extra_id, (extra ->> 'stock')::bigint AS stock,
               booking.start_at, booking.end_at, (own ->> 'quantity')::bigint AS quantity
          FROM venue
         CROSS JOIN jsonb_array_elements(policy -> 'extras') AS extra
          JOIN booking ON booking.tenant_id = venue.tenant_id AND booking.venue_id = venue.id
         CROSS JOIN jsonb_array_elements(booking.extras) AS own
         WHERE jsonb_typeof(extra -> 'stock') = 'number' AND own ->> 'id' = extra ->> 'id'
           AND booking.status = ANY ($1::text[]) AND booking.expires_at IS NULL
           AND booking.created_at > venue.updated_at AND booking.start_at < booking.end_at
    ), step AS (
        SELECT tenant_id, venue_id, extra_id, stock, start_at AS at, quantity AS change FROM taken
         UNION ALL
        SELECT tenant_id, venue_id, extra_id, stock, end_at, -quantity FROM taken
    ), added AS (
        SELECT *, sum(change) OVER (PARTITION BY tenant_id, venue_id, extra_id ORDER BY at, change
                                        ROWS UNBOUNDED PRECEDING) AS taken
          FROM step
    )
    SELECT tenant_id, venue_id, extra_id, stock, max(taken) AS taken, min(at) AS since
      FROM added
     WHERE taken > stock
     GROUP BY tenant_id, venue_id, extra_id, stock
"""

CODES = """
    SELECT venue.tenant_id, venue.id AS venue_id, discount ->> 'code' AS code, discount -> 'uses_max' AS uses_max,
           count(*) AS uses
      FROM venue
     CROSS JOIN jsonb_array_elements(policy -> 'discounts') AS discount
      JOIN booking ON booking.tenant_id = venue.tenant_id AND booking.venue_id = venue.id
                  AND booking.discount_code = discount ->> 'code'
     WHERE jsonb_typeof(discount -> 'uses_max') = 'number' AND booking.status <> ALL ($1::text[])
       AND booking.expires_at IS NULL AND booking.created_at > venue.updated_at
     GROUP BY venue.tenant_id, venue.id, discount
    HAVING count(*) > (discount ->> 'uses_max')::bigint
"""

# Who comes in the small hours has the night before; who stays past check-in has the next one too.
NIGHTS = """
    SELECT tenant_id, id AS booking_id, arrival_on, nights, local_start, local_end
      FROM booking
     WHERE nights IS NOT NULL
       AND (local_start::date NOT BETWEEN arrival_on AND arrival_on + 1
            OR local_end::date NOT BETWEEN arrival_on + nights - 1 AND arrival_on + nights)
"""

OVERRULED = """
    SELECT booking.tenant_id, booking.id AS booking_id, rule
      FROM booking
     CROSS JOIN jsonb_array_elements(overrides) AS rule
     WHERE coalesce(rule ->> 'code', '') <> ALL ($1::text[])
        OR coalesce(rule ->> 'reason', '') = '' OR coalesce(rule ->> 'actor', '') = ''
"""

GIVEN = (
    Check(
        "bookings_need_no_more_than_there_is",
        "At no instant do the bookings of a resource, and of wholes that contain it, need more units than it has.",
        UNITS,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "extras_are_within_their_stock",
        "At no instant are more of an extra taken than there are.",
        EXTRAS,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "codes_are_used_no_more_than_they_may_be",
        "No more bookings use a discount code than it allows.",
        CODES,
        (sorted(UNDONE),),
    ),
    Check(
        "stays_have_the_nights_they_last",
        "A stay begins on the night of its arrival and ends with its last night.",
        NIGHTS,
    ),
    Check(
        "overruled_rules_say_who_and_why",
        "Every rule that staff overruled is one that can be, with the reason and the actor.",
        OVERRULED,
        (list(OVERRULABLE),),
    ),
)
