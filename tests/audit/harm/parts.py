"""A harm, and the statements that harms are made of."""

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


def claimed(of: str, *, resource: str, unit: str = "1", during: str, kind: str = "booking") -> str:
    """A claim more for a booking, on another resource of its venue."""
    return f"""
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at)
    SELECT b.tenant_id, r.id, {unit}, {during}, '{kind}', b.id, b.expires_at
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
    UPDATE event SET event_type = 'lost' FROM booking
     WHERE booking.id = subject_id AND special_requests = '{of}' AND payload ->> 'version' = '{version}'
     RETURNING subject_id"""


# The newest event of every booking tells what the booking says.
RETELL = """
    UPDATE event SET venue_id = b.venue_id, payload = payload || jsonb_build_object(
           'booking_reference', b.reference, 'start', b.start_at, 'end', b.end_at, 'party_size', b.party_size,
           'resource_ids', to_jsonb(b.resource_ids), 'total_minor', b.total_minor, 'currency', b.currency)
      FROM booking b WHERE subject_id = b.id AND payload ->> 'version' = b.version::text"""

COPY_EVENT = """
    WITH copied AS (
        INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at)
        SELECT event.tenant_id, gen_random_uuid(), event_type, event.venue_id, {subject}, payload || '{payload}',
               actor, event.created_at
          FROM event JOIN booking ON booking.id = subject_id
         WHERE special_requests = '{of}' AND payload ->> 'version' = '1' RETURNING *
    ), queued AS (
        INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM copied
    )
    SELECT {returning} FROM copied"""

COPY_STEP = """
    INSERT INTO booking_history (tenant_id, booking_id, version, from_status, to_status, actor, action,
                                 metadata, created_at)
    SELECT h.tenant_id, booking_id, {version}, to_status, to_status, actor, 'update', h.metadata, h.created_at
      FROM booking_history h JOIN booking ON booking.id = booking_id
     WHERE special_requests = '{of}' AND h.version = booking.version RETURNING booking_id"""
