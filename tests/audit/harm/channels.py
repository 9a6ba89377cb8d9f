"""What can be wrong with channels."""

from __future__ import annotations

from tests.audit.harm.parts import Harm

LAST = "(SELECT max(version) FROM event AS e WHERE e.venue_id = event.venue_id AND e.channel = event.channel)"

LATEST = "(SELECT max(position) FROM event_log)"

CHANNELS = (
    Harm(
        "events_have_one_position",
        "an event waits for none and has none",
        f"DELETE FROM event_log WHERE position = {LATEST} RETURNING event_id",
    ),
    Harm(
        "events_have_one_position",
        "an event waits for one and has one",
        f"""
        INSERT INTO event_new (tenant_id, event_id)
        SELECT tenant_id, event_id FROM event_log WHERE position = {LATEST} RETURNING event_id""",
    ),
    Harm(
        "events_have_one_position",
        "a position has no event",
        f"""
        INSERT INTO event_log (position, tenant_id, event_id)
        SELECT {LATEST} + 1, id, gen_random_uuid() FROM tenant LIMIT 1 RETURNING event_id""",
    ),
    Harm(
        "positions_are_dense",
        "one is left out",
        f"UPDATE event_log SET position = position + 1 WHERE position = {LATEST} RETURNING event_id",
    ),
    Harm(
        "positions_are_dense",
        "one is given twice",
        """
        UPDATE event_log SET position = 1 WHERE position = 2
        RETURNING (SELECT event_id FROM event_log WHERE position = 3)""",
    ),
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
