"""Checks of the trail: every change has a history row and an event, and they agree with the booking."""

from __future__ import annotations

import json

from holdfast.audit.check import Check
from holdfast.booking import bind, cancel_item
from holdfast.booking.displace import ACTION, DISPLACED_BY_BLOCK
from holdfast.booking.states import DISPLACEABLE, INITIAL, TRANSITIONS, displaced_status
from holdfast.booking.store import EVENT_TYPES

OTHER_TYPE = "booking.status_changed"
TYPES = sorted({*EVENT_TYPES.values(), OTHER_TYPE})
STEPS = [(before, after) for before, onward in TRANSITIONS.items() for after in onward]
DISPLACED = [(before, displaced_status(before)) for before in sorted(DISPLACEABLE)]

GAPS = """
    WITH numbered AS (
        SELECT tenant_id, booking_id, version,
               lag(version, 1, 0) OVER (PARTITION BY tenant_id, booking_id ORDER BY version) AS version_before
          FROM booking_history
    )
    SELECT tenant_id, booking_id, version, version_before
      FROM numbered
     WHERE version <> version_before + 1
"""

LAST = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.version, booking.status, booking.updated_at,
           step.to_status, step.created_at AS step_at
      FROM booking
      LEFT JOIN booking_history AS step ON step.tenant_id = booking.tenant_id
                                       AND step.booking_id = booking.id AND step.version = booking.version
     WHERE step.to_status IS DISTINCT FROM booking.status OR step.created_at <> booking.updated_at
     UNION ALL
    SELECT booking.tenant_id, booking.id, booking.version, booking.status, booking.updated_at,
           step.to_status, step.created_at
      FROM booking
      JOIN booking_history AS step ON step.tenant_id = booking.tenant_id
                                  AND step.booking_id = booking.id AND step.version > booking.version
"""

# A step after a gap can't be compared with the one before; another check reports the gap.
ILLEGAL = """
    WITH walked AS (
        SELECT tenant_id, booking_id, version, action, from_status, to_status, reason,
               lag(to_status) OVER walk AS status_before, lag(version) OVER walk AS version_before
          FROM booking_history
        WINDOW walk AS (PARTITION BY tenant_id, booking_id ORDER BY version)
    )
    SELECT walked.tenant_id, walked.booking_id, walked.version, walked.action, walked.from_status,
           walked.to_status, walked.status_before
      FROM walked
      LEFT JOIN unnest($1::text[], $2::text[]) AS legal (from_status, to_status)
        ON legal.from_status = walked.from_status AND legal.to_status = walked.to_status
     WHERE (walked.action = 'create') <> (walked.version = 1)
        OR walked.version_before = walked.version - 1
           AND walked.from_status IS DISTINCT FROM walked.status_before
        OR NOT CASE
               WHEN walked.action = 'create'
               THEN walked.from_status IS NULL AND walked.to_status = ANY ($3::text[])
               WHEN walked.action = ANY ($8::text[])
               THEN walked.from_status IS NOT DISTINCT FROM walked.to_status
               WHEN walked.action = $4 THEN walked.reason IS NOT DISTINCT FROM $5 AND EXISTS (
                   SELECT FROM unnest($6::text[], $7::text[]) AS displaced (from_status, to_status)
                    WHERE (displaced.from_status, displaced.to_status)
                        = (walked.from_status, walked.to_status))
               ELSE legal.to_status IS NOT NULL END
"""

UNTOLD = """
    WITH told AS (
        SELECT tenant_id, subject_id, payload ->> 'version' AS version, count(*) AS events
          FROM event
         WHERE event_type = ANY ($1::text[])
         GROUP BY tenant_id, subject_id, payload ->> 'version'
    )
    SELECT step.tenant_id, step.booking_id, step.version, step.action, coalesce(told.events, 0) AS events
      FROM booking_history AS step
      LEFT JOIN told ON told.tenant_id = step.tenant_id AND told.subject_id = step.booking_id
                    AND told.version = step.version::text
     WHERE told.events IS DISTINCT FROM 1
       AND NOT (told.events IS NULL AND EXISTS (SELECT FROM event_purge WHERE step.created_at <= up_to))
"""

UNHEARD = """
    SELECT event.tenant_id, event.id AS event_id, event.event_type, event.subject_id AS booking_id,
           event.payload ->> 'version' AS version
      FROM event
      JOIN booking ON booking.tenant_id = event.tenant_id AND booking.id = event.subject_id
      LEFT JOIN booking_history AS step ON step.tenant_id = event.tenant_id
                                       AND step.booking_id = event.subject_id
                                       AND step.version::text = event.payload ->> 'version'
     WHERE event.event_type = ANY ($1::text[]) AND step.version IS NULL
"""

MISTOLD = """
    SELECT event.tenant_id, event.id AS event_id, event.event_type, step.booking_id, step.version, step.action,
           step.from_status, step.to_status, event.payload ->> 'from_status' AS event_from_status,
           event.payload ->> 'status' AS event_status
      FROM event
      JOIN booking_history AS step ON step.tenant_id = event.tenant_id
                                  AND step.booking_id = event.subject_id
                                  AND step.version::text = event.payload ->> 'version'
     WHERE event.event_type = ANY ($1::text[])
       AND (event.event_type <> coalesce($2::text::jsonb ->> step.action, $3::text)
            OR event.payload ->> 'from_status' IS DISTINCT FROM step.from_status
            OR event.payload ->> 'status' IS DISTINCT FROM step.to_status
            OR event.actor <> step.actor
            OR event.created_at <> step.created_at)
"""

NEWEST = """
    SELECT booking.tenant_id, booking.id AS booking_id, booking.version, event.id AS event_id,
           booking.venue_id, booking.start_at, booking.end_at, booking.party_size, booking.resource_ids,
           booking.total_minor, booking.currency, event.payload
      FROM booking
      JOIN event ON event.tenant_id = booking.tenant_id AND event.subject_id = booking.id
                AND event.payload ->> 'version' = booking.version::text
     WHERE event.event_type = ANY ($1::text[])
       AND (event.venue_id IS DISTINCT FROM booking.venue_id
            OR event.payload ->> 'booking_reference' IS DISTINCT FROM booking.reference
            OR (event.payload ->> 'start')::timestamptz IS DISTINCT FROM booking.start_at
            OR (event.payload ->> 'end')::timestamptz IS DISTINCT FROM booking.end_at
            OR event.payload -> 'resource_ids' IS DISTINCT FROM to_jsonb(booking.resource_ids)
            OR event.payload ->> 'party_size' IS DISTINCT FROM booking.party_size::text
            OR event.payload ->> 'total_minor' IS DISTINCT FROM booking.total_minor::text
            OR event.payload ->> 'currency' IS DISTINCT FROM booking.currency)
"""

TRAIL = (
    Check(
        "histories_have_no_gaps",
        "The versions in a history are 1, 2, 3, ... without gaps or duplicates.",
        GAPS,
    ),
    Check(
        "histories_end_at_their_booking",
        "The last step of a history leads to the booking's version and status.",
        LAST,
    ),
    Check(
        "steps_are_legal",
        "Every step starts where the previous one ended, and the table of statuses allows it, or a block displaced the "
        "booking.",
        ILLEGAL,
        (
            [before for before, _ in STEPS],
            [after for _, after in STEPS],
            sorted(INITIAL),
            ACTION,
            DISPLACED_BY_BLOCK,
            [before for before, _ in DISPLACED],
            [after for _, after in DISPLACED],
            ["update", bind.ACTION, cancel_item.ACTION],
        ),
    ),
    Check("steps_have_one_event", "Every step has exactly one event.", UNTOLD, (TYPES,)),
    Check("events_have_a_step", "Every event of a booking belongs to a step.", UNHEARD, (TYPES,)),
    Check(
        "events_fit_their_step",
        "An event has the type, statuses, actor and timestamp of its step.",
        MISTOLD,
        (TYPES, json.dumps(EVENT_TYPES), OTHER_TYPE),
    ),
    Check(
        "newest_events_tell_what_is_booked",
        "The newest event of a booking has its current place, time, party size and price.",
        NEWEST,
        (TYPES,),
    ),
)
