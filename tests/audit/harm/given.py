"""What can be wrong with what is given away."""

from __future__ import annotations

from tests.audit.harm.parts import RETELL, Harm, booking

C1 = "(SELECT id FROM resource WHERE resource.venue_id = booking.venue_id AND slug = 'c1')"
LESS = """
    UPDATE venue SET policy = jsonb_set(policy, '{{{what}}}', '{less}') FROM booking
     WHERE booking.venue_id = venue.id AND special_requests = 'sold' RETURNING venue.id"""

GIVEN = (
    Harm(
        "bookings_need_no_more_than_there_is",
        "more guests than stools",
        booking("party_size = 9", "stools", returning="resource_ids[1]"),
        then=RETELL,
        also=("bookings_hold_what_was_booked",),
    ),
    Harm(
        "bookings_need_no_more_than_there_is",
        "a part at the time of its whole",
        booking(f"resource_ids = ARRAY[{C1}], preferences = '{{}}'", "bound", returning="resource_ids[1]"),
        then=RETELL,
        also=("bookings_hold_what_was_booked", "bookings_hold_nothing_else"),
    ),
    Harm(
        "extras_are_within_their_stock",
        "one more than there are",
        LESS.format(what="extras,0,stock", less="3"),
    ),
    Harm(
        "codes_are_used_no_more_than_they_may_be",
        "twice instead of once",
        LESS.format(what="discounts,0,uses_max", less="1"),
    ),
    Harm(
        "stays_have_the_nights_they_last",
        "a night more",
        booking("nights = nights + 2", "stay"),
    ),
    Harm(
        "stays_have_the_nights_they_last",
        "another arrival",
        booking("arrival_on = arrival_on + 2, nights = 1", "stay"),
    ),
    Harm(
        "overruled_rules_say_who_and_why",
        "no reason",
        booking(
            """overrides = '[{"code": "PACING_EXCEEDED", "reason": "", "actor": "staff:bob"}]'""", "plain"
        ),
    ),
    Harm(
        "overruled_rules_say_who_and_why",
        "a rule that nobody can overrule",
        booking(
            """overrides = '[{"code": "NOT_AVAILABLE", "reason": "A regular.", "actor": "staff:bob"}]'""",
            "plain",
        ),
    ),
    Harm(
        "prices_add_up",
        "a discount of more than there is",
        booking(
            "discount_minor = base_minor + 1, tax_minor = 1, tax_included = false, total_minor = 0", "later"
        ),
        then=RETELL,
    ),
    Harm(
        "price_lines_add_up",
        "a quantity that nobody pays for",
        booking("price_lines = jsonb_set(price_lines, '{0,quantity}', '\"99\"')", "later"),
    ),
)
