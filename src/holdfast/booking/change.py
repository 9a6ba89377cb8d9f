"""Changes bookings: time, duration, party, resources, guest data. Every change is checked like a new booking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.booking import queries, states, store
from holdfast.booking.deciding.around import Around, Revised
from holdfast.booking.deciding.known import Further
from holdfast.booking.deciding.revise import revise
from holdfast.booking.deciding.wish import Change, Wish, wish
from holdfast.booking.making.claiming import arriving, put
from holdfast.booking.making.sales_store import read_sales
from holdfast.booking.making.usage_store import read_usage
from holdfast.booking.model import Booking
from holdfast.booking.move import check_version
from holdfast.booking.rules.fair_use import CountedBooking
from holdfast.booking.store import Step, said_of
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Occupancy, Probe
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, NotFound
from holdfast.place.venue import Venue


async def change(tx: Tx, asked: Change, *, venue: Venue) -> Booking:
    """Changes the booking and returns it. If the change is refused, the booking keeps its claims and everything else.

    Runs under the lock of `venue`, the booking's venue. Raises NotFound, VersionConflict, InvalidTransition,
    NotAvailable, and the errors of the venue's rules.
    """
    decided = await decide_set(tx, [asked], venue=venue)
    [outcome] = decided.outcomes
    if isinstance(outcome, HoldfastError):
        raise outcome
    await write_set(tx, decided, venue=venue)
    return outcome.after


@dataclass(frozen=True, slots=True)
class Decided:
    """The outcome of each change of a set, in request order, and the occupancy they were decided on."""

    outcomes: Sequence[Revised | HoldfastError]
    occupancy: Occupancy


async def decide_set(tx: Tx, asked: Sequence[Change], *, venue: Venue) -> Decided:
    """Decides the changes without writing anything. They take effect together: resources that one booking gives up are
    free for the others.

    Locks the bookings. Takes two round trips, one more each if the venue has pacing or rules of fair use, and more if
    other claims must move to make room. Runs under the lock of `venue`.
    """
    locked = await store.of_ids(tx, {(venue.tenant_id, each.booking_id) for each in asked})
    found = {booking.id: booking for booking in locked}
    wishes = [_wish(tx, each, found.pop(each.booking_id, None), venue) for each in asked]
    around = await look_around(tx, [each for each in wishes if isinstance(each, Wish)], venue)
    around.leave_out({each.booking_id for each in asked})
    return Decided([await _revise(tx, each, around) for each in wishes], around.occupancy)


def _wish(tx: Tx, asked: Change, before: Booking | None, venue: Venue) -> Wish | HoldfastError:
    try:
        if before is None:
            raise NotFound(f"There is no booking {asked.booking_id}, or it is listed twice.")
        check_version(tx, before, asked.expected_version)
    except HoldfastError as error:
        return error
    return wish(asked, before, venue, actor=tx.actor, now=tx.now)


async def look_around(tx: Tx, wishes: Sequence[Wish], venue: Venue) -> Around:
    """Reads the claims and arrivals that the decisions depend on."""
    probes = [probe for each in wishes for probe in each.probes()]
    windows = {limit.window for each in wishes for limit in each.limits()}
    found = await claims.overlapping(tx, probes) if probes else []
    arriving = await queries.arriving(tx, venue, windows, sorted(states.OCCUPYING)) if windows else {}
    asked = [each.prepared for each in wishes if each.prepared is not None]
    around = Around(Occupancy.of(found, now=tx.now), arriving, sales=await read_sales(tx, asked))
    if venue.policy.fair_use:
        askers = [(venue, each.wanted.asker, each.span) for each in asked]
        askers += [(venue, each.transfer.asker, each.span) for each in wishes if each.transfer is not None]
        around.usage = await read_usage(tx, askers)
        around.usage.changed = {each.before.id: CountedBooking.of(each.before) for each in wishes}
    return around


async def _revise(tx: Tx, each: Wish | HoldfastError, around: Around) -> Revised | HoldfastError:
    pricing = tx.ports.pricing
    while isinstance(result := revise(each, around, actor=tx.actor, pricing=pricing), Further):
        await learn(tx, around, result.probes)
    return result


async def learn(tx: Tx, around: Around, probes: Sequence[Probe]) -> None:
    """Reads the claims for these probes and adds them to `around`."""
    around.learn(await claims.overlapping(tx, probes), probes)


async def write_set(tx: Tx, decided: Decided, *, venue: Venue) -> None:
    """Writes the changes that were not refused, in a fixed number of round trips. Raises NotAvailable if the constraint
    `claim_never_overlaps` rejects them."""
    revised = [each for each in decided.outcomes if isinstance(each, Revised)]
    moved = [each for each in revised if each.claims is not None]
    taken = [claim for each in moved for claim in each.claims or ()]
    shift = await put(tx, [each.after for each in moved], taken, decided.occupancy, venue)
    shift += arriving([each.before for each in revised], [each.after for each in revised])
    steps = [_step(tx, each) for each in revised]
    await store.save(tx, steps)
    for step in steps[:1]:
        await announce(tx, venue, shift, reason=step.event_type)


def _step(tx: Tx, revised: Revised) -> Step:
    before, after = revised.before, revised.after
    moved = after.span != before.span
    new = said_of([each for each in after.overrides if each not in before.overrides])
    return Step(
        booking=after,
        from_status=before.status,
        action="update",
        actor=str(tx.actor),
        metadata={"changed": store.changed_columns(before, after), **new},
        traceparent=tx.traceparent,
        facts={
            "previous_start": before.start_at if moved else None,
            "previous_end": before.end_at if moved else None,
            **new,
        },
    )
