"""Checks of blocks: they hold exactly what they define."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from holdfast.audit.check import Check
from holdfast.audit.ledger import BELOW
from holdfast.block.expand import occurrences_of
from holdfast.block.model import COLUMNS, Block
from holdfast.block.store import from_row
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span

Slot = tuple[UUID, Span]
"""A resource and one occurrence on it."""

_NAMES = ", ".join(f"block.{name}" for name in COLUMNS)

# One row per block, with all its claims as parallel arrays, and the units of what it claims.
HELD = f"""
    WITH {BELOW}, one AS (
        SELECT tenant_id, owner_id, resource_id, unit, during, false AS archived
          FROM claim WHERE owner_kind = 'block'
         UNION ALL
        SELECT tenant_id, owner_id, resource_id, unit, during, true
          FROM claim_archive WHERE owner_kind = 'block'
    ), held AS (
        SELECT tenant_id, owner_id, array_agg(resource_id) AS held_resource_ids, array_agg(unit) AS held_units,
               array_agg(lower(during)) AS held_starts, array_agg(upper(during)) AS held_ends,
               array_agg(archived) AS held_archived
          FROM one GROUP BY tenant_id, owner_id
    ), kept AS (
        SELECT block.tenant_id, block.id, array_agg(leaf.leaf_id) AS kept_ids,
               array_agg(leaf.units) AS kept_units, array_agg(leaf.is_fixed) AS kept_unchanged
          FROM block
          JOIN leaf ON leaf.tenant_id = block.tenant_id AND leaf.resource_id = ANY (block.resource_ids)
         GROUP BY block.tenant_id, block.id
    )
    SELECT {_NAMES}, held.held_resource_ids, held.held_units, held.held_starts, held.held_ends,
           held.held_archived, kept.kept_ids, kept.kept_units, kept.kept_unchanged
      FROM block
      LEFT JOIN held ON held.tenant_id = block.tenant_id AND held.owner_id = block.id
      LEFT JOIN kept ON kept.tenant_id = block.tenant_id AND kept.id = block.id
"""


def unlike_their_definition(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Finds claims that a block defines but lacks, or has but does not define.

    A block takes all units of a resource. If the resource was changed since, past occurrences may have fewer. Archived
    claims may be more than the block defines now, if it was ended later.
    """
    for row in rows:
        about = {"tenant_id": row["tenant_id"], "block_id": row["id"]}
        try:
            for violation in _of_block(from_row(row), row):
                yield about | violation
        except (HoldfastError, LookupError, ValueError) as error:
            # A recurrence or a time zone that can't be parsed.
            yield about | {"problem": "can't be expanded", "error": str(error)}


def _of_block(block: Block, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    units = _units_wanted(row)
    said = {(id_, each.span) for each in occurrences_of(block) for id_ in units}
    had: dict[Slot, set[int]] = {}
    columns = (row[f"held_{name}"] or () for name in ("resource_ids", "units", "starts", "ends", "archived"))
    for resource_id, unit, start, end, archived in zip(*columns, strict=True):
        slot = (UUID(int=resource_id.int), Span(start, end))
        had.setdefault(slot, set()).add(unit)
        if slot not in said and not archived:
            yield _violation("has a claim that it does not say", slot, [unit])
    for slot in sorted(said):
        least, wanted = units[slot[0]]
        missing = set(range(1, wanted + 1)) - had.get(slot, set())
        if missing and len(had.get(slot, ())) < least:
            yield _violation("lacks claims that it says", slot, sorted(missing))


def _units_wanted(row: Mapping[str, Any]) -> dict[UUID, tuple[int, int]]:
    """Returns for each resource the minimum number of units that must be held, and the number it has."""
    kept = zip(row["kept_ids"] or (), row["kept_units"] or (), row["kept_unchanged"] or (), strict=True)
    return {UUID(int=id_.int): (units if unchanged else 1, units) for id_, units, unchanged in kept}


def _violation(problem: str, slot: Slot, units: list[int]) -> dict[str, Any]:
    resource_id, span = slot
    return {
        "problem": problem,
        "resource_id": resource_id,
        "start": span.start,
        "end": span.end,
        "units": units,
    }


OWNERLESS = """
    SELECT claim.tenant_id, claim.owner_id, claim.resource_id, claim.unit, claim.during
      FROM claim
      LEFT JOIN block ON block.tenant_id = claim.tenant_id AND block.id = claim.owner_id
     WHERE claim.owner_kind = 'block' AND block.id IS NULL
"""

UNTOLD = """
    WITH told AS (
        SELECT tenant_id, block_id, count(*) AS steps, min(version) AS first, max(version) AS last
          FROM block_history GROUP BY tenant_id, block_id
    )
    SELECT block.tenant_id, block.id AS block_id, block.version, told.steps, told.first, told.last
      FROM block
      LEFT JOIN told ON told.tenant_id = block.tenant_id AND told.block_id = block.id
     WHERE (told.steps, told.first, told.last) IS DISTINCT FROM (block.version::bigint, 1, block.version)
"""

BLOCKS = (
    Check(
        "blocks_hold_what_they_say",
        "The claims of a block are exactly its expansion from its creation on.",
        HELD,
        judge=unlike_their_definition,
    ),
    Check("claims_of_blocks_have_their_block", "Every claim of a block has that block.", OWNERLESS),
    Check("blocks_have_their_history", "The versions in a block's history are 1 to its own.", UNTOLD),
)
