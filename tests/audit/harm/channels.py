"""What can be wrong with channels."""

from __future__ import annotations

from tests.audit.harm.parts import Harm

LAST = "(SELECT max(version) FROM event AS e WHERE e.venue_id = event.venue_id AND e.channel = event.channel)"

CHANNELS = (
    Harm(
        "channels_are_at_their_last_event",
        "a number was given to nobody",
        """
        UPDATE channel SET version = version + 1
         WHERE venue_id = (SELECT venue_id FROM booking WHERE special_requests = 'lane') RETURNING venue_id""",
    ),
    Harm(
        "channels_are_at_their_last_event",
        "the counter went back",
        """
        UPDATE channel SET version = version - 1
         WHERE venue_id = (SELECT venue_id FROM booking WHERE special_requests = 'lane') RETURNING venue_id""",
    ),
    Harm(
        "channels_are_counted_in_commit_order",
        "two events changed their numbers",
        """
        UPDATE event SET version = 3 - version
         WHERE version IN (1, 2) AND channel = 'bookings'
           AND venue_id = (SELECT venue_id FROM booking WHERE special_requests = 'lane') RETURNING id""",
    ),
    Harm(
        "channels_are_counted_in_commit_order",
        "it does not begin at 1",
        """
        WITH moved AS (UPDATE event SET version = version + 1 WHERE channel = 'bookings' AND venue_id = (
                SELECT venue_id FROM booking WHERE special_requests = 'unpaid') RETURNING id)
        UPDATE channel SET version = version + 1 FROM moved WHERE channel.venue_id = (
                SELECT venue_id FROM booking WHERE special_requests = 'unpaid') RETURNING moved.id""",
    ),
)
