"""What can be wrong with the waitlist."""

from __future__ import annotations

from tests.audit.harm.parts import Harm, drop


def entry(what: str, of: str, *, returning: str = "id") -> str:
    return f"UPDATE waitlist_entry SET {what} WHERE guest_name = '{of}' RETURNING {returning}"


OF = "(SELECT booking_id FROM waitlist_entry WHERE guest_name = '{}')"

WAITLIST = (
    Harm(
        "entries_have_a_booking_once_they_are_offered_one",
        "an offer to nobody",
        entry("booking_id = NULL", "offered"),
        without=drop("waitlist_entry", "waitlist_entry_offer_is_a_booking"),
    ),
    Harm(
        "entries_have_a_booking_once_they_are_offered_one",
        "who waits has an offer",
        entry("status = 'WAITING'", "offered"),
    ),
    Harm(
        "entries_have_a_booking_once_they_are_offered_one",
        "accepted what was never offered",
        entry("status = 'ACCEPTED'", "waits"),
    ),
    Harm(
        "offers_are_holds_of_their_venue",
        "there is no such booking",
        entry("booking_id = gen_random_uuid()", "offered"),
    ),
    Harm(
        "offers_are_holds_of_their_venue",
        "the booking is of another venue",
        entry(
            "booking_id = (SELECT id FROM booking WHERE special_requests = 'undecided'),"
            " tenant_id = (SELECT tenant_id FROM booking WHERE special_requests = 'undecided'),"
            " venue_id = (SELECT id FROM venue WHERE id <> waitlist_entry.venue_id LIMIT 1)",
            "accepted",
        ),
        without=drop("waitlist_entry", "waitlist_entry_venue_exists"),
    ),
    Harm(
        "offers_are_holds_of_their_venue",
        "it was booked, and never held",
        entry("booking_id = (SELECT id FROM booking WHERE special_requests = 'queued')", "accepted"),
    ),
    Harm(
        "offers_are_holds_of_their_venue",
        "the offer says another time than its hold",
        entry("offer_expires_at = offer_expires_at + interval '1 hour'", "offered"),
    ),
    Harm(
        "closed_entries_hold_nothing",
        "a place is held for who left",
        entry("status = 'LEFT'", "offered"),
    ),
    Harm(
        "closed_entries_hold_nothing",
        "an offer lapsed before its time",
        entry("status = 'LAPSED', updated_at = offer_expires_at - interval '1 second'", "offered"),
    ),
    Harm(
        "bookings_are_offered_once",
        "one place for two",
        f"UPDATE waitlist_entry SET booking_id = {OF.format('accepted')} WHERE guest_name = 'declined'"
        " RETURNING booking_id",
        without="DROP INDEX waitlist_entry_booking_is_unique",
    ),
)
