"""Checks of the waitlist: a place is held only for the entry it was offered to.

An offer may have been answered through its booking, or have expired, before the entry was updated. So not every offered
entry needs to have a hold at every instant.
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

# An offer lapses at its expiry or later; until it is swept, its hold blocks nobody.
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
        "A waiting entry has no booking; one that was offered a place, or accepted or declined it, has one.",
        WAITING,
    ),
    Check(
        "offers_are_holds_of_their_venue",
        "An offer is a booking at the entry's venue that began as a hold and expires with the offer.",
        OFFERS,
    ),
    Check(
        "closed_entries_hold_nothing",
        "No place is held for a closed entry after its offer has expired.",
        CLOSED,
    ),
    Check("bookings_are_offered_once", "A booking was offered to one entry at most.", ONCE),
)
