"""The waitlist: a place is held for those to whom it was offered, and for nobody else.

An offer may have been answered at its booking, or be past its time, before anybody told the entry: what
holds at every instant is less than that each offered entry has a hold.
"""

from __future__ import annotations

from holdfast.audit.check import Check

WAITING = """
    SELECT tenant_id, id AS entry_id, status, booking_id, offer_expires_at
      FROM waitlist_entry
     WHERE status = 'WAITING' AND (booking_id IS NOT NULL OR offer_expires_at IS NOT NULL)
        OR status IN ('OFFERED', 'ACCEPTED', 'DECLINED') AND booking_id IS NULL
"""

OFFERS = """
    SELECT entry.tenant_id, entry.id AS entry_id, entry.venue_id, entry.booking_id, entry.offer_expires_at,
           booking.venue_id AS booking_venue_id, booking.status, booking.expires_at
      FROM waitlist_entry AS entry
      LEFT JOIN booking ON booking.tenant_id = entry.tenant_id AND booking.id = entry.booking_id
     WHERE entry.booking_id IS NOT NULL
       AND (booking.venue_id IS DISTINCT FROM entry.venue_id
            OR booking.status = 'HELD' AND booking.expires_at IS DISTINCT FROM entry.offer_expires_at
            OR NOT EXISTS (SELECT FROM booking_history AS step
                            WHERE step.tenant_id = booking.tenant_id AND step.booking_id = booking.id
                              AND step.version = 1 AND step.to_status = 'HELD'))
"""

# One that lapsed did so at its expiry or after: the hold stands in nobody's way until it is swept.
CLOSED = """
    SELECT entry.tenant_id, entry.id AS entry_id, entry.status, entry.booking_id, booking.expires_at,
           entry.updated_at
      FROM waitlist_entry AS entry
      JOIN booking ON booking.tenant_id = entry.tenant_id AND booking.id = entry.booking_id
     WHERE entry.status NOT IN ('WAITING', 'OFFERED') AND booking.status = 'HELD'
       AND (entry.status <> 'LAPSED' OR booking.expires_at > entry.updated_at)
"""

ONCE = """
    SELECT tenant_id, booking_id, array_agg(id) AS entry_ids
      FROM waitlist_entry
     WHERE booking_id IS NOT NULL
     GROUP BY tenant_id, booking_id
    HAVING count(*) > 1
"""

WAITLIST = (
    Check(
        "entries_have_a_booking_once_they_are_offered_one",
        "An entry that waits has no booking; one that was offered a place, took it or declined it has one.",
        WAITING,
    ),
    Check(
        "offers_are_holds_of_their_venue",
        "What was offered is a booking of the entry's venue that began as a hold, and stands as long as it says.",
        OFFERS,
    ),
    Check(
        "closed_entries_hold_nothing",
        "No place is held for an entry that is done with, beyond the time of an offer that lapsed.",
        CLOSED,
    ),
    Check("bookings_are_offered_once", "A booking was offered to one entry at most.", ONCE),
)
