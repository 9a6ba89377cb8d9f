"""Expands blocks into the spans of time they take. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.block.model import OWNER_KIND, Block
from holdfast.claim.model import BEGINNING, NEVER, Claim
from holdfast.kernel.span import Span
from holdfast.place.opening.recurrence import Occurrence, Recurrence, expansion, parse
from holdfast.place.venue import Resource, Venue

RULES_CACHED_MAX = 1024
EVER = Span(BEGINNING, NEVER)


class BlockedSpan(NamedTuple):
    """A span for which a block takes a resource off the inventory."""

    span: Span
    block_id: UUID


def get_blocked_intervals(
    definitions: Iterable[Block],
    resource_id: UUID,
    range_start: datetime,
    range_end: datetime,
    *,
    sharing: Collection[UUID] = (),
) -> list[BlockedSpan]:
    """Returns the spans for which these blocks take the resource off the inventory, in order: those that overlap
    `[range_start, range_end)`, in full. For each unit, the claims of blocks in the ledger are exactly these.

    `sharing`: the resources that share parts with it (`Venue.sharing`): a block of one of them blocks it too.
    """
    ids = {resource_id, *sharing}
    found = blocked_intervals(definitions, ids, range_start, range_end)
    return sorted({each for intervals in found.values() for each in intervals})


def expanded_json(
    definitions: Sequence[Block],
    resource_id: UUID,
    range_start: datetime,
    range_end: datetime,
    *,
    venue: Venue,
) -> list[dict[str, Any]]:
    """Returns the same as the API shows it, in the venue's offset."""
    by_id = {each.id: each for each in definitions}
    return [
        {
            "block_id": each.block_id,
            "kind": by_id[each.block_id].kind,
            "reason": by_id[each.block_id].reason,
            "start": each.span.start.astimezone(venue.tz),
            "end": each.span.end.astimezone(venue.tz),
        }
        for each in get_blocked_intervals(
            definitions,
            resource_id,
            range_start,
            range_end,
            sharing=venue.sharing(resource_id),
        )
    ]


def blocked_intervals(
    definitions: Iterable[Block], resource_ids: Collection[UUID], range_start: datetime, range_end: datetime
) -> dict[UUID, list[BlockedSpan]]:
    """Returns the same for many resources at once. Blocks that share a rule share its expansion."""
    found: dict[UUID, list[BlockedSpan]] = {each: [] for each in resource_ids}
    within = Span(range_start, range_end)
    for block in definitions:
        concerned = [found[each] for each in block.resource_ids if each in found]
        if concerned:
            blocked = [BlockedSpan(each.span, block.id) for each in occurrences_of(block, within)]
            for intervals in concerned:
                intervals.extend(blocked)
    for intervals in found.values():
        intervals.sort()
    return found


def occurrences_of(block: Block, within: Span = EVER) -> Sequence[Occurrence]:
    """Returns the occurrences that the block claims, in order; with `within`, those that overlap it.

    It leaves out those that were over when the block was created, and those that `cancelled_from` or `removed_at`
    ended.
    """
    if within.start >= within.end:
        return ()
    rule = None if block.rrule is None else _parsed(block.rrule)
    start, end = block.local_start, block.local_end
    every = expansion(rule, local_start=start, local_end=end, tz=block.tz).before(within.end)
    # Occurrences don't overlap, so starts, ends and dates are all in order.
    first = bisect_right(every, max(within.start, block.created_at), key=lambda each: each.span.end)
    last = bisect_left(every, within.end, key=lambda each: each.span.start)
    if block.cancelled_from is not None:
        last = min(last, bisect_left(every, block.cancelled_from, key=lambda each: each.on))
    if block.removed_at is not None:
        last = min(last, bisect_right(every, block.removed_at, key=lambda each: each.span.end))
    return every[first:last]


def claims_of(block: Block, resources: Iterable[Resource], *, within: Span = EVER) -> list[Claim]:
    """Returns the claims with which the block takes all units of these resources, or of the leaves of wholes, without
    buffers."""
    spans = [each.span for each in occurrences_of(block, within)]
    return [
        Claim(
            tenant_id=block.tenant_id,
            resource_id=resource.id,
            unit=unit,
            span=span,
            owner_id=block.id,
            owner_kind=OWNER_KIND,
            state="blocked",
            changed_by=block.created_by,
        )
        for resource in leaves_of(resources)
        for unit in range(1, resource.units + 1)
        for span in spans
    ]


def leaves_of(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Returns what a block of these resources claims, each once: the resources, or the leaves of wholes."""
    return tuple({leaf.id: leaf for each in resources for leaf in each.claimed}.values())


@lru_cache(maxsize=RULES_CACHED_MAX)
def _parsed(rrule: str) -> Recurrence:
    return parse(rrule)
