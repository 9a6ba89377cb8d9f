"""Checks of the ledger: what is occupied, and by whom.

Except where noted, no check depends on the current time, so a database filled under a virtual clock can be audited too.
Hence an expired hold counts until it is swept: its claims and its status change in one transaction. Claims of blocks
are only checked for what holds for every claim.
"""

from __future__ import annotations

from holdfast.audit.check import Check
from holdfast.booking.states import CLAIM_STATES, OCCUPYING

OCCUPYING_STATUSES = sorted(OCCUPYING)
BUFFER_MAX = "interval '1 day'"  # The maximum that a policy allows.

# What a booking of a resource claims: its leaves. `takes`: 'whole' for a leaf of a whole, all units of which are taken.
# `is_fixed`: nothing of it was ever changed, so that the leaves and their units are those of every booking.
BELOW = """
    RECURSIVE below AS (
        SELECT tenant_id, id AS resource_id, id AS leaf_id, part_ids, units, version = 1 AS is_fixed, takes
          FROM resource
         UNION
        SELECT below.tenant_id, below.resource_id, part.id, part.part_ids, part.units,
               below.is_fixed AND part.version = 1, 'whole'
          FROM below
         CROSS JOIN unnest(below.part_ids) AS of (part_id)
          JOIN resource AS part ON part.tenant_id = below.tenant_id AND part.id = of.part_id
    ), leaf AS (
        SELECT tenant_id, resource_id, leaf_id, units, bool_and(is_fixed) AS is_fixed, min(takes) AS takes
          FROM below WHERE part_ids = '{}'
         GROUP BY tenant_id, resource_id, leaf_id, units
    )"""

# One row per group of overlapping claims. The running maximum finds a short claim inside a long one, even with others
# between them; counting the starts of groups needs no self-join of the claims.
OVERLAPS = """
    WITH sorted AS (
        SELECT tenant_id, resource_id, unit, during, owner_id,
               lower(during) < max(upper(during)) OVER (
                   PARTITION BY tenant_id, resource_id, unit ORDER BY lower(during), upper(during)
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_over_another
          FROM claim
         WHERE NOT isempty(during)
    ), heaped AS (
        SELECT *, count(*) FILTER (WHERE is_over_another IS NOT TRUE) OVER (
                   PARTITION BY tenant_id, resource_id, unit ORDER BY lower(during), upper(during)
                   ROWS UNBOUNDED PRECEDING) AS heap
          FROM sorted
    )
    SELECT tenant_id, resource_id, unit, min(lower(during)) AS start_at, max(upper(during)) AS end_at,
           count(*) AS claims, (array_agg(owner_id))[1:10] AS owner_ids
      FROM heaped
     GROUP BY tenant_id, resource_id, unit, heap
    HAVING count(*) > 1
"""

SPANS = """
    SELECT tenant_id, resource_id, unit, during, owner_kind, owner_id
      FROM claim
     WHERE isempty(during) OR lower_inf(during) OR upper_inf(during)
        OR NOT lower_inc(during) OR upper_inc(during)
"""

# A resource may lose units, be removed, or become a whole, as soon as nobody occupies that part any more. So past,
# expired and cleaning claims may still refer to it, unless the resource was never changed.
UNITS = """
    SELECT claim.tenant_id, claim.resource_id, claim.unit, claim.during, claim.owner_kind, claim.owner_id,
           resource.units, resource.removed_at
      FROM claim
      LEFT JOIN resource ON resource.tenant_id = claim.tenant_id AND resource.id = claim.resource_id
     WHERE resource.id IS NULL
        OR claim.unit < 1
        OR (claim.unit > resource.units OR resource.removed_at IS NOT NULL OR resource.part_ids <> '{}')
           AND (resource.version = 1
                OR claim.owner_kind <> 'cleaning'
                   AND upper(claim.during) > now() AND (claim.expires_at IS NULL OR claim.expires_at > now()))
"""

OWNERLESS = """
    SELECT claim.tenant_id, claim.owner_id, claim.resource_id, claim.unit, claim.during
      FROM claim
      LEFT JOIN booking ON booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id
     WHERE claim.owner_kind IN ('booking', 'unbound', 'cleaning') AND booking.id IS NULL
"""

ENDED = """
    SELECT claim.tenant_id, claim.owner_id AS booking_id, booking.status, claim.resource_id, claim.unit,
           claim.during
      FROM claim
      JOIN booking ON booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id
     WHERE claim.owner_kind IN ('booking', 'unbound') AND booking.status <> ALL ($1::text[])
"""

# What a booking has of each resource: the guests there, and how many of its items; one, if it is no order. A resource
# listed twice must not be counted twice; another check reports that.
NAMED = """
    CROSS JOIN LATERAL (
        SELECT one.resource_id, booking.party_size AS guests, 1 AS items
          FROM unnest(booking.resource_ids) AS one (resource_id)
         WHERE booking.items = '[]'
         GROUP BY one.resource_id
         UNION ALL
        SELECT of_item.resource_id::uuid, sum((item ->> 'party_size')::integer)::integer, count(*)::integer
          FROM jsonb_array_elements(booking.items) AS item
         CROSS JOIN jsonb_array_elements_text(item -> 'resource_ids') AS of_item (resource_id)
         WHERE NOT (item ->> 'is_cancelled')::boolean
         GROUP BY of_item.resource_id) AS named
"""

MISSING = f"""
    WITH {BELOW}, held AS (
        SELECT tenant_id, owner_id, resource_id, during, false AS archived
          FROM claim WHERE owner_kind = 'booking'
         UNION ALL
        SELECT tenant_id, owner_id, resource_id, during, true
          FROM claim_archive WHERE owner_kind = 'booking'
    ), wanted AS (
        SELECT booking.tenant_id, booking.id, booking.status, booking.start_at, booking.end_at,
               coalesce(leaf.leaf_id, named.resource_id) AS resource_id, named.resource_id AS of_id,
               CASE leaf.takes WHEN 'whole' THEN leaf.units WHEN 'guests' THEN named.guests ELSE named.items END
                   AS units,
               booking.party_size, coalesce(leaf.takes, 'party') AS takes, coalesce(leaf.is_fixed, false) AS is_fixed
          FROM booking {NAMED}
          LEFT JOIN leaf ON leaf.tenant_id = booking.tenant_id AND leaf.resource_id = named.resource_id
         WHERE booking.status = ANY ($1::text[])
    ), counted AS (
        SELECT wanted.tenant_id, wanted.id AS booking_id, wanted.status, wanted.resource_id,
               wanted.start_at, wanted.end_at, wanted.units, wanted.party_size, wanted.takes, wanted.is_fixed,
               count(*) FILTER (WHERE NOT held.archived) AS claims,
               count(*) FILTER (WHERE NOT held.archived AND lower(held.during) <= wanted.start_at
                                  AND upper(held.during) >= wanted.end_at) AS claims_of_all_of_it,
               count(*) FILTER (WHERE held.archived AND lower(held.during) <= wanted.start_at
                                  AND upper(held.during) >= wanted.end_at) AS archived_claims_of_all_of_it
          FROM wanted
          LEFT JOIN held ON held.tenant_id = wanted.tenant_id AND held.owner_id = wanted.id
                        AND held.resource_id = wanted.resource_id
         GROUP BY wanted.tenant_id, wanted.id, wanted.status, wanted.resource_id, wanted.of_id,
                  wanted.start_at, wanted.end_at, wanted.units, wanted.party_size, wanted.takes, wanted.is_fixed
    )
    SELECT * FROM counted
     WHERE (is_fixed OR takes <> 'whole')
       AND (claims <> claims_of_all_of_it
            OR claims > CASE WHEN is_fixed THEN units ELSE greatest(units, party_size) END
            OR claims + archived_claims_of_all_of_it < CASE WHEN is_fixed THEN units ELSE 1 END)
"""

FOREIGN = f"""
    WITH {BELOW}
    SELECT claim.tenant_id, claim.owner_id AS booking_id, claim.resource_id, claim.unit, claim.during,
           booking.start_at, booking.end_at, booking.resource_ids
      FROM claim
      JOIN booking ON booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id
     WHERE claim.owner_kind = 'booking' AND booking.status = ANY ($1::text[])
       AND (claim.resource_id <> ALL (booking.resource_ids) AND NOT EXISTS (
                        SELECT FROM leaf
                         WHERE leaf.tenant_id = booking.tenant_id AND leaf.resource_id = ANY (booking.resource_ids)
                           AND (leaf.leaf_id = claim.resource_id OR leaf.takes = 'whole' AND NOT leaf.is_fixed))
            OR lower(claim.during) < booking.start_at - {BUFFER_MAX}
            OR upper(claim.during) > booking.end_at + {BUFFER_MAX})
"""

# A booking of a type has one claim, on some resource of the type, until it gets that resource for good.
PROMISED = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.status, booking.preferences,
           array_agg(claim.resource_id) FILTER (WHERE claim.owner_id IS NOT NULL) AS claimed_resource_ids
      FROM booking
      LEFT JOIN (SELECT tenant_id, owner_id, resource_id, during, owner_kind FROM claim
                  UNION ALL
                 SELECT tenant_id, owner_id, resource_id, during, owner_kind FROM claim_archive) AS claim
        ON claim.tenant_id = booking.tenant_id AND claim.owner_id = booking.id
      LEFT JOIN resource ON resource.tenant_id = claim.tenant_id AND resource.id = claim.resource_id
     WHERE booking.status = ANY ($1::text[]) AND booking.resource_ids = '{}'
     GROUP BY booking.tenant_id, booking.id
    HAVING NOT coalesce(count(claim.owner_id) = 1
                        AND bool_and(claim.owner_kind = 'unbound' AND lower(claim.during) <= booking.start_at
                                     AND upper(claim.during) >= booking.end_at
                                     AND (resource.group_slug = booking.preferences ->> 'group'
                                          OR upper(claim.during) <= now())), false)
     UNION ALL
    SELECT booking.tenant_id, booking.id, booking.status, booking.preferences, ARRAY[claim.resource_id]
      FROM claim
      JOIN booking ON booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id
     WHERE claim.owner_kind = 'unbound' AND booking.resource_ids <> '{}'
"""

EXPIRY = """
    SELECT claim.tenant_id, claim.owner_id AS booking_id, booking.status, claim.resource_id,
           claim.expires_at AS claim_expires_at, booking.expires_at AS booking_expires_at
      FROM claim
      JOIN booking ON booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id
     WHERE claim.owner_kind IN ('booking', 'unbound') AND booking.status = ANY ($1::text[])
       AND claim.expires_at IS DISTINCT FROM booking.expires_at
"""

SHOWN = """
    SELECT claim.tenant_id, claim.owner_id AS booking_id, booking.status, claim.resource_id, claim.state
      FROM claim
      JOIN booking ON booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id
      JOIN unnest($1::text[], $2::text[]) AS shown (status, state) ON shown.status = booking.status
     WHERE claim.owner_kind IN ('booking', 'unbound') AND claim.state <> shown.state
     UNION ALL
    SELECT tenant_id, owner_id, NULL, resource_id, state FROM claim
     WHERE state <> CASE owner_kind WHEN 'block' THEN 'blocked' WHEN 'cleaning' THEN 'confirmed' ELSE state END
"""

# If venue and resource were never changed, their buffer is the agreed one; otherwise only its maximum is known. The
# minimum can't be checked afterwards: a neighbouring claim or block may have been in the way and be gone.
CLEANING = f"""
    WITH {BELOW}, left_behind AS (
        SELECT *, count(*) OVER (PARTITION BY tenant_id, owner_id, resource_id) AS claims
          FROM claim WHERE owner_kind = 'cleaning'
    )
    SELECT c.tenant_id, c.owner_id AS booking_id, booking.status, c.resource_id, c.unit, c.during,
           booking.completed_at, booking.cancelled_at, booking.checked_in_at
      FROM left_behind AS c
      JOIN booking ON booking.tenant_id = c.tenant_id AND booking.id = c.owner_id
      LEFT JOIN resource ON resource.tenant_id = c.tenant_id AND resource.id = c.resource_id
      LEFT JOIN venue ON venue.tenant_id = booking.tenant_id AND venue.id = booking.venue_id
     WHERE NOT coalesce(
           c.claims <= CASE resource.takes WHEN 'guests' THEN booking.party_size ELSE greatest(resource.units, 1) END
           AND (c.claims = 1 OR resource.takes = 'guests' OR c.resource_id <> ALL (booking.resource_ids)
                OR booking.items <> '[]')
           AND c.expires_at IS NULL
           AND EXISTS (SELECT FROM leaf
                        WHERE leaf.tenant_id = booking.tenant_id AND leaf.resource_id = ANY (booking.resource_ids)
                          AND (leaf.leaf_id = c.resource_id OR leaf.takes = 'whole' AND NOT leaf.is_fixed))
           AND lower(c.during) = CASE WHEN booking.status = 'COMPLETED' THEN booking.completed_at
                                      WHEN booking.checked_in_at IS NOT NULL THEN booking.cancelled_at END
           AND upper(c.during) - lower(c.during) <= CASE
               WHEN venue.version = 1 AND resource.version = 1 AND c.resource_id = ANY (booking.resource_ids)
               THEN make_interval(mins => coalesce(resource.buffer_after_minutes,
                                                   (venue.policy ->> 'buffer_after_minutes')::integer, 0))
               ELSE {BUFFER_MAX} END, false)
"""

ARCHIVED_EARLY = """
    SELECT tenant_id, owner_kind, owner_id, resource_id, unit, during, archived_at
      FROM claim_archive
     WHERE isempty(during) OR upper_inf(during) OR upper(during) > archived_at
"""

LEDGER = (
    Check("claims_never_overlap", "No unit of a resource is occupied twice at the same time.", OVERLAPS),
    Check("claims_are_bounded_spans", "Every claim is a bounded, half-open span of time.", SPANS),
    Check("claims_are_on_units_that_exist", "Every claim is on an existing unit of its resource.", UNITS),
    Check(
        "claims_have_an_owner",
        "The booking of every claim, or of the cleaning after it, exists.",
        OWNERLESS,
    ),
    Check(
        "bookings_that_ended_hold_nothing",
        "A booking whose status does not occupy has no claims, except for cleaning.",
        ENDED,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "cleaning_follows_a_visit",
        "After a visit at most the agreed buffer stays claimed, from when the party left.",
        CLEANING,
    ),
    Check(
        "bookings_hold_what_was_booked",
        "Every booking that occupies has exactly the claims that its resources and its party need, for its whole time.",
        MISSING,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "promised_types_are_held",
        "A booking of a type that has no resource yet holds exactly one of that type, for its whole time.",
        PROMISED,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "bookings_hold_nothing_else",
        "No booking claims other resources than its own, or time beyond its own plus buffers.",
        FOREIGN,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "claims_expire_with_their_booking",
        "A claim expires when its booking does.",
        EXPIRY,
        (OCCUPYING_STATUSES,),
    ),
    Check(
        "claims_show_what_they_are_for",
        "A claim's state, as shown on floor plans, matches its booking's status, or is blocked.",
        SHOWN,
        ([*CLAIM_STATES], [*CLAIM_STATES.values()]),
    ),
    Check(
        "archived_claims_were_over",
        "No claim was archived before it had ended.",
        ARCHIVED_EARLY,
    ),
)
