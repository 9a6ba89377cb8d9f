"""Channels: what was told is counted, without gaps and in the order of commits."""

from __future__ import annotations

from holdfast.audit.check import Check

# The row of a channel that was closed is gone, its events are not.
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

# The first that is kept starts at 1, unless older ones were purged.
GAPS = """
    WITH counted AS (
        SELECT tenant_id, venue_id, channel, epoch, version, id,
               lag(version) OVER (PARTITION BY tenant_id, venue_id, channel, epoch ORDER BY xid, seq) AS before
          FROM event WHERE channel IS NOT NULL
    )
    SELECT tenant_id, venue_id, channel, epoch, version, before AS version_before, id AS event_id
      FROM counted
     WHERE version <> before + 1
        OR before IS NULL AND version <> 1 AND NOT EXISTS (SELECT FROM event_purge)
"""

CHANNELS = (
    Check("channels_are_at_their_last_event", "A channel's version is that of the last event on it.", LAST),
    Check(
        "channels_are_counted_in_commit_order",
        "In the order of commits, each event of a channel has the number after the one before.",
        GAPS,
    ),
)
