"""Suggests free slots near a time that is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import Context
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from holdfast.assigning.choose import Demand, candidate_sets
from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.booking.finding import search
from holdfast.booking.finding.look import look
from holdfast.booking.finding.orders import check_order_rules, look_for_order, room_for_order
from holdfast.booking.finding.search import Found, Outlook, Sets
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.rules.length import DurationNotAllowed, check_asked
from holdfast.booking.rules.sittings import is_slots_only, slot_of, slots_near
from holdfast.booking.wanted import Prepared, When
from holdfast.claim.model import Occupancy
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, Tx
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue

SUGGESTIONS_MAX = 3
AT_ONCE_MAX = 2
TURN_S = 0.25
WITHIN = timedelta(hours=2)
WITHIN_OF_STAYS = timedelta(days=3)
log = structlog.get_logger()
T = TypeVar("T")
Look = Callable[[Sets, Span], Awaitable[Outlook]]


async def suggest(
    tx: Tx, wanted: Prepared, change: Callable[[Occupancy], None] | None = None
) -> list[dict[str, Any]]:
    """Returns up to SUGGESTIONS_MAX slots {start, end, resource_ids}, nearest to the wanted start first.
    `change`: changes the occupancy before the search.

    1. The same time on equivalent resources, if some were named.
    2. The nearest starts within two hours, on the slot step: on the same resources. For a stay: as many nights, up to
       three days earlier or later.
    3. If these are too few: on equivalent resources.

    Each slot is free as of this transaction, by the rules and the ledger. Nothing is reserved.

    Of an order: the nearest starts at which there is room for all of it.
    """
    if wanted.items:
        return await _suggest_order(tx, wanted, change)

    async def changed(sets: Sets, around: Span) -> Outlook:
        asked = wanted.wanted
        outlook = await look(
            tx, wanted.venue, sets, around, asked.asker, but=asked.instead_of, is_type=asked.is_of_type
        )
        if change is not None:
            change(outlook.occupancy)
        return outlook

    return await suggest_from(changed, wanted)


async def _suggest_order(
    tx: Tx, order: Prepared, change: Callable[[Occupancy], None] | None
) -> list[dict[str, Any]]:
    within = within_of(order.venue)
    outlook = await look_for_order(tx, order, Span(order.span.start - within, order.span.end + within))
    if change is not None:
        change(outlook.occupancy)
    slices, found = Slices(), list[dict[str, Any]]()
    for span, slot_id in _times_near(outlook, order.sets, order):
        there = order.at(span, slot_id)
        try:
            check_order_rules(there, outlook)
        except HoldfastError:
            continue
        place = await room_for_order(tx, there, outlook)
        if place is not None:
            found.append(slot_json(Found(span, (place.resources,)), order.venue))
        if len(found) == SUGGESTIONS_MAX:
            break
        await slices.rest()
    return found


async def suggest_from(read: Look, wanted: Prepared) -> list[dict[str, Any]]:
    """The same without a transaction: `read(sets, span)` returns an Outlook, as `look` does."""
    venue, span, party_size = wanted.venue, wanted.span, wanted.wanted.party_size
    within = within_of(venue)
    around = Span(span.start - within, span.end + within)
    same = candidate_sets(venue, Demand(party_size, wanted.wanted.resource_ids, wanted.wanted.preferences))
    if venue.policy.held_back:
        same = in_order(venue, wanted.wanted.asker, same)
    named = wanted.wanted.resource_ids
    others = search.equivalent(venue, named, party_size) if named else ()
    found: list[Found] = []
    if others:
        outlook = await read(others, span)
        there = outlook.free(others, span, party_size=party_size, slot_id=wanted.slot_id)
        found = [] if there is None else [there]
    found = _and(found, await _nearest(await read(same, around), same, wanted))
    if len(found) < SUGGESTIONS_MAX and others:
        found = _and(found, await _nearest(await read(others, around), others, wanted))
    found.sort(key=lambda each: (abs(each.span.start - span.start), each.span.start))
    return [slot_json(each, venue) for each in found]


def _and(found: list[Found], more: list[Found]) -> list[Found]:
    """Adds those at other times, up to SUGGESTIONS_MAX in all."""
    done = {each.span for each in found}
    return [*found, *(each for each in more if each.span not in done)][:SUGGESTIONS_MAX]


def within_of(venue: Venue) -> timedelta:
    """Returns how far from the wanted start to look."""
    return WITHIN if venue.stay is None else WITHIN_OF_STAYS


async def _nearest(outlook: Outlook, sets: Sets, wanted: Prepared) -> list[Found]:
    slices, party_size = Slices(), wanted.wanted.party_size
    found: list[Found] = []
    for span, slot_id in [(wanted.span, wanted.slot_id), *_times_near(outlook, sets, wanted)]:
        free = outlook.free(
            sets, span, party_size=party_size, slot_id=slot_id, is_type=wanted.wanted.is_of_type
        )
        if free is not None:
            found.append(free)
        if len(found) == SUGGESTIONS_MAX:
            break
        await slices.rest()
    return found


def _times_near(outlook: Outlook, sets: Sets, wanted: Prepared) -> list[tuple[Span, str | None]]:
    """Returns other times that this asker may book, up to WITHIN away, nearest first, and the slots that they are."""
    venue, span, found = outlook.venue, wanted.span, list[tuple[Span, str | None]]()
    is_staff = outlook.asker.is_staff
    if wanted.slot_id is not None or is_slots_only(venue, is_staff=is_staff):
        near = slots_near(venue, span)
        found += [(each.span, each.id) for each in near if each.id != wanted.slot_id or each.span != span]
    if not is_slots_only(venue, is_staff=is_staff):
        known = {each for each, _ in found}
        for each in search.spans_around(venue, sets, span, within_of(venue)):
            is_other = each.start != span.start and each not in known
            if is_other and _may_last(wanted, each, is_staff=is_staff):
                found.append((each, slot_of(venue, each)))
    near = [each for each in found if abs(each[0].start - span.start) <= within_of(venue)]
    return sorted(near, key=lambda each: (abs(each[0].start - span.start), each[0].start))


def _may_last(wanted: Prepared, span: Span, *, is_staff: bool) -> bool:
    """Whether a booking at that other time may be as long as the one that was asked for: that may have been a slot, or
    have had another length on the clock. A booking that is changed may keep its length."""
    venue = wanted.venue
    keeps_length = wanted.wanted.instead_of is not None and wanted.slot_id is None
    if venue.stay is not None or keeps_length:
        return True
    usual = usual_minutes(venue.policy, max(each.wanted.party_size for each in wanted.items or (wanted,)))
    try:
        check_asked(When(start=span.start, end=span.end), span, venue, usual=usual, is_staff=is_staff)
    except DurationNotAllowed:
        return False
    return True


def slot_json(found: Found, venue: Venue) -> dict[str, Any]:
    """A free slot in the form of the API, with the venue's offset. Without resources, it is a promise of the type."""
    return {
        "start": found.span.start.astimezone(venue.tz).isoformat(),
        "end": found.span.end.astimezone(venue.tz).isoformat(),
        "resource_ids": [str(each) for each in found.resource_ids],
    }


class Suggestions:
    """Computes suggestions, once for all requests that are refused the same thing at the same time.

    Computing suggestions takes longer than booking. So at most AT_ONCE_MAX computations run at a time, and a refusal
    that would wait longer than TURN_S for its turn goes without suggestions.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._running: dict[object, asyncio.Task[list[dict[str, Any]] | None]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE_MAX)

    async def near(self, wanted: Prepared) -> list[dict[str, Any]] | None:
        """See `suggest`. None if there was no capacity: the refusal goes without suggestions."""
        venue, asked = wanted.venue, wanted.wanted
        asker = asked.asker if venue.policy.fair_use else asked.asker.unnamed
        key = (venue.id, venue.rules_version, wanted.span, asked.demand, asker, asked.instead_of)
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._suggest(wanted), context=Context())
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def _suggest(self, wanted: Prepared) -> list[dict[str, Any]] | None:
        try:
            return await self.run(wanted.venue, suggest, wanted)
        except Overloaded:
            return None
        except Exception as error:
            # The refusal is correct without suggestions.
            log.error("suggestions_failed", stack=stack_of(error))
            return None

    async def run(self, venue: Venue, verb: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Waits for a turn, then runs the verb in a read-only transaction. Raises Overloaded."""
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(TURN_S * self._db.deadline_s / REQUEST_DEADLINE_S):
                    await turn.enter_async_context(self._at_once)
            except TimeoutError:
                raise Overloaded from None
            return await self._db.call(SYSTEM, tenants=[venue.tenant_id]).run(verb, *args, **kwargs)
