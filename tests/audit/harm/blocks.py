"""What can be wrong with a block."""

from __future__ import annotations

from tests.audit.harm.parts import Harm, history

BLOCK_CLAIM = """
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, state, changed_by)
    SELECT block.tenant_id, {resource}, 1, {during}, 'block', {owner}, 'blocked', 'system'
      FROM block WHERE reason = 'daily' RETURNING owner_id"""
FAR = "tstzrange('2090-01-01', '2090-01-02')"
OTHER = "(SELECT id FROM resource WHERE venue_id = block.venue_id AND slug = 't3')"


def of_block(what: str) -> str:
    return f"UPDATE block SET {what} WHERE reason = 'daily' RETURNING id"


BLOCKS = (
    Harm(
        "blocks_hold_what_they_say",
        "one unit on one day is not held",
        """
        DELETE FROM claim USING block
         WHERE owner_id = block.id AND reason = 'daily' AND unit = 7 AND lower(during) = first_at
         RETURNING owner_id""",
    ),
    Harm(
        "blocks_hold_what_they_say",
        "nothing is held, of a resource that was changed",
        "DELETE FROM claim USING block WHERE owner_id = block.id AND reason = 'over' RETURNING owner_id",
        then="UPDATE resource SET version = 2 FROM block WHERE reason = 'over' AND resource.id = ANY (resource_ids)",
    ),
    Harm(
        "blocks_hold_what_they_say",
        "a day more is held",
        BLOCK_CLAIM.format(resource="resource_ids[1]", during=FAR, owner="block.id"),
    ),
    Harm(
        "blocks_hold_what_they_say",
        "another resource is held",
        BLOCK_CLAIM.format(
            resource=OTHER, during="tstzrange(first_at, first_at + interval '2 hours')", owner="block.id"
        ),
    ),
    Harm("blocks_hold_what_they_say", "it ends earlier", of_block("cancelled_from = cancelled_from - 1")),
    Harm("blocks_hold_what_they_say", "it was removed", of_block("removed_at = now()")),
    Harm(
        "blocks_hold_what_they_say",
        "another time",
        of_block("local_start = local_start - interval '1 minute'"),
    ),
    Harm(
        "blocks_hold_what_they_say", "another recurrence", of_block("rrule = 'FREQ=DAILY;INTERVAL=2;COUNT=4'")
    ),
    Harm("blocks_hold_what_they_say", "a recurrence that is none", of_block("rrule = 'daily'")),
    Harm("blocks_hold_what_they_say", "an unknown zone", of_block("timezone = 'Mars/Phobos'")),
    Harm(
        "claims_of_blocks_have_their_block",
        "there is no such block",
        BLOCK_CLAIM.format(resource="resource_ids[1]", during=FAR, owner="gen_random_uuid()"),
    ),
    Harm(
        "blocks_have_their_history",
        "its first step is gone",
        """
        DELETE FROM block_history USING block
         WHERE block.id = block_id AND reason = 'daily' AND block_history.version = 1 RETURNING block_id""",
    ),
    Harm("blocks_have_their_history", "it is at a version that no step led to", of_block("version = 3")),
    Harm(
        "steps_are_legal",
        "a place that was taken away for another reason",
        history("reason = 'rain'", "displaced", version=2),
    ),
    Harm(
        "steps_are_legal",
        "a party was taken away that sat there",
        history("action = 'displace', reason = 'displaced_by_block'", "seated"),
        also=("events_fit_their_step",),
    ),
)
