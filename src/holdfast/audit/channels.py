"""Checks of channels: versions without gaps, in commit order."""

from __future__ import annotations

from holdfast.audit.check import Check

# A closed channel's row is deleted, but its events remain.
LAST = """
    WITH told AS (
        SELECT tenant_id, venue_id, channel, epoch, max(version) AS version
          FROM event WHERE channel IS NOT NULL GROUP BY tenant_id, venue_id, channel, epoch
    )
    SELECT c.tenant_id, c.venue_id, c.name, c.epoch, c.version, told.version AS last_version
      FROM channel AS c
      LEFT JOIN told ON (told.tenant_id, told.venue_id, told.channel, told.epoch)
                      = (c.tenant_id, c.venue_id, c.name, c.epoch)
     WHERE c.version <> coalesce(told.version, 0)
       AND NOT (told.version IS NULL AND EXISTS (SELECT FROM event_purge))
"""

# The first event of an epoch has version 1, unless older ones were purged.
GAPS = """
    WITH counted AS (
        SELECT event.tenant_id, venue_id, channel, epoch, version, id,
               lag(version) OVER (PARTITION BY event.tenant_id, venue_id, channel, epoch
                                      ORDER BY log.position NULLS LAST, new.seq) AS before
          FROM event
          LEFT JOIN event_log AS log ON log.tenant_id = event.tenant_id AND log.event_id = event.id
          LEFT JOIN event_new AS new ON new.tenant_id = event.tenant_id AND new.event_id = event.id
         WHERE channel IS NOT NULL
    )
    SELECT tenant_id, venue_id, channel, epoch, version, before AS version_before, id AS event_id
      FROM counted
     WHERE version <> before + 1
        OR before IS NULL AND version <> 1 AND NOT EXISTS (SELECT FROM event_purge)
"""

# Each event has one position or waits for one. From the oldest kept event on, positions have no gaps.
UNPLACED = """
    WITH placed AS (
        SELECT tenant_id, event_id, position, NULL::bigint AS seq FROM event_log
         UNION ALL SELECT tenant_id, event_id, NULL, seq FROM event_new
    )
    SELECT coalesce(event.tenant_id, placed.tenant_id) AS tenant_id, coalesce(event.id, placed.event_id) AS event_id,
           count(placed.event_id) AS places, min(placed.position) AS position
      FROM event
      FULL JOIN placed ON placed.tenant_id = event.tenant_id AND placed.event_id = event.id
     GROUP BY 1, 2
    HAVING count(event.id) <> 1 OR count(placed.event_id) <> 1
"""
HOLES = """
    WITH kept AS (
        SELECT tenant_id, event_id, position, lag(position) OVER (ORDER BY position) AS before
          FROM event_log
         WHERE position > coalesce((SELECT position FROM event_purge), 0)
    )
    SELECT tenant_id, event_id, position, before AS position_before FROM kept
     WHERE position <> coalesce(before, (SELECT position FROM event_purge), 0) + 1
"""

CHANNELS = (
    Check("events_have_one_position", "Each event has exactly one position, or waits for one.", UNPLACED),
    Check("positions_are_dense", "The positions of events have no gaps and no duplicates.", HOLES),
    Check("channels_are_at_their_last_event", "A channel's version is that of its last event.", LAST),
    Check(
        "channels_are_counted_in_commit_order",
        "In commit order, each event of a channel has the next version.",
        GAPS,
    ),
)
