"""Decides what each occurrence would get, as creating would, in short reads without a lock. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.booking.deciding.decide import decide
from holdfast.booking.deciding.known import Created, Further, Known, Refused
from holdfast.booking.deciding.prepare import prepare, probes_of
from holdfast.booking.making import create_store
from holdfast.booking.wanted import SETS_FIRST, Prepared
from holdfast.claim import store as claims
from holdfast.claim.model import Claim
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.planning import Read
from holdfast.port.pricing import Pricing
from holdfast.series.expand import Planned, SeriesWanted, expand, in_parts
from holdfast.series.refused import Missed, occurrence_json, suggest_all


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan is based on: the current venue, the current time, and the source of prices."""

    venue: Venue
    now: datetime
    pricing: Pricing


async def basis(tx: Tx, venue: Venue, places: Places) -> Basis:
    """Returns the basis of a plan that starts now."""
    return Basis(await places.current(tx, venue), tx.now, tx.ports.pricing)


async def preview(read: Read, asked: SeriesWanted, *, venue: Venue, places: Places) -> list[dict[str, Any]]:
    """Returns an `OccurrenceShown` for each occurrence: the resources it would get, or what is in its way and what
    is free instead. Raises an error if the series as a whole is impossible."""
    by: Basis = await read(basis, venue, places)
    planned = expand(asked, by.venue, now=by.now).planned
    found = list(zip(planned, await decide_all(read, planned, by), strict=True))
    missed = [Missed(at.on, at.span, each.error) for at, each in found if isinstance(each, Refused)]
    await suggest_all(read, missed, by.venue)
    return [_shown(at, each, by.venue) for at, each in found]


def _shown(planned: Planned, result: Created | Refused, venue: Venue) -> dict[str, Any]:
    if isinstance(result, Refused):
        return occurrence_json(planned.on, planned.span, venue, error=result.error)
    booking = result.booking
    return occurrence_json(planned.on, booking.span, venue, resource_ids=booking.resource_ids)


async def decide_all(
    read: Read, planned: Sequence[Planned], by: Basis, *, tentative: Sequence[Created] = ()
) -> list[Created | Refused]:
    """Decides on each occurrence in order, counting the earlier ones as booked. Writes nothing, so somebody else may
    still take the place. `tentative`: bookings to count as if they were made."""
    found: list[Created | Refused] = []
    made, slices = list(tentative), Slices()
    named = len(planned[0].wanted.resource_ids) if planned else 0
    for part in in_parts(planned, named or min(len(by.venue.resources), SETS_FIRST)):
        prepared = [_prepare(each, by) for each in part]
        ready = [each for each in prepared if isinstance(each, Prepared)]
        known: Known = (await read(create_store.look, [each.wanted for each in part], ready)).known
        for claim in _near([claim for each in made for claim in each.claims], ready):
            known.occupancy.add(claim)
        for each in made if by.venue.policy.fair_use else ():
            known.usage.add(each.booking)
        for each in prepared:
            result = each if isinstance(each, Refused) else await _decide_one(read, each, known, by.pricing)
            if isinstance(result, Created):
                made.append(result)
            found.append(result)
            await slices.rest()
    return found


def _prepare(planned: Planned, by: Basis) -> Prepared | Refused:
    try:
        return prepare(planned.wanted, by.venue, now=by.now)
    except HoldfastError as error:
        return Refused(error)


def _near(taken: Sequence[Claim], ready: Sequence[Prepared]) -> Sequence[Claim]:
    """Returns the claims that a part may collide with."""
    probed = [span for each in ready for _, _, span in probes_of(each)] if taken else []
    if not probed:
        return ()
    around = Span(min(each.start for each in probed), max(each.end for each in probed))
    return [each for each in taken if each.span.overlaps(around)]


async def _decide_one(read: Read, prepared: Prepared, known: Known, pricing: Pricing) -> Created | Refused:
    result = decide(prepared, known, pricing)
    while isinstance(result, Further):
        await read(claims.learn, known.occupancy, result.probes)
        result = decide(prepared.in_full(), known, pricing)
    return result
