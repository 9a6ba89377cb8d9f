"""What would come of a series, occurrence by occurrence; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.booking import create_store
from holdfast.booking.decide import Created, Further, Known, Refused, decide, prepare
from holdfast.booking.prepared import Prepared
from holdfast.claim import store as claims
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.series.plan import Asked, Planned, in_sets, plan
from holdfast.series.refused import Missed, occurrence_json, suggest_all


async def preview(tx: Tx, asked: Asked, *, venue: Venue, places: Places) -> list[dict[str, Any]]:
    """An `OccurrenceShown` for each: on what it would be booked, or what is in its way and what is free
    instead.

    Decided as creating would, each counting for the next, but without a lock: somebody may still be
    faster. Raises what makes the series as a whole impossible.
    """
    current = await places.current(tx, venue)
    found: list[tuple[Planned, Created | Refused]] = []
    for part in in_sets(plan(asked, current, now=tx.now).planned, current):
        found += zip(part, await _decide(tx, part, current), strict=True)
    missed = [Missed(at.on, at.span, each.error) for at, each in found if isinstance(each, Refused)]
    await suggest_all(tx, missed)
    return [_shown(at, each, current) for at, each in found]


async def _decide(tx: Tx, part: Sequence[Planned], venue: Venue) -> list[Created | Refused]:
    prepared = [_prepare(tx, each, venue) for each in part]
    ready = [each for each in prepared if isinstance(each, Prepared)]
    read = await create_store.read(tx, [each.wanted for each in part], ready)
    return [
        each if isinstance(each, Refused) else await _decide_one(tx, each, read.known) for each in prepared
    ]


def _prepare(tx: Tx, planned: Planned, venue: Venue) -> Prepared | Refused:
    try:
        return prepare(planned.wanted, venue, now=tx.now)
    except HoldfastError as error:
        return Refused(error)


async def _decide_one(tx: Tx, prepared: Prepared, known: Known) -> Created | Refused:
    result = decide(prepared, known, tx.ports.pricing)
    while isinstance(result, Further):
        await claims.learn(tx, known.occupancy, result.probes)
        result = decide(prepared.in_full(), known, tx.ports.pricing)
    return result


def _shown(planned: Planned, result: Created | Refused, venue: Venue) -> dict[str, Any]:
    if isinstance(result, Refused):
        return occurrence_json(planned.on, planned.span, venue, error=result.error)
    booking = result.booking
    return occurrence_json(planned.on, booking.span, venue, resource_ids=booking.resource_ids)
