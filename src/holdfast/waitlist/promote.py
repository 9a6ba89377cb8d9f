"""Offers free places to waiting guests, first come, first served among those they fit.

Offers are planned on a snapshot, with no lock or connection held, and written a few at a time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from holdfast.assigning.choose import Demand, candidate_sets
from holdfast.booking.finding.look import look
from holdfast.booking.finding.search import Sets
from holdfast.booking.making.usage_store import read_usage
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.said import Asker
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span, merged
from holdfast.pacing.limits import PACING_WINDOW, REACH
from holdfast.place.venue import Venue
from holdfast.waitlist.answer import settle
from holdfast.waitlist.lists import Queue, read_overview, read_queue, read_venue
from holdfast.waitlist.model import SOURCE, Entry
from holdfast.waitlist.offer import Batch, BatchResult, offer, recheck
from holdfast.waitlist.plan import Offer, QueueSnapshot, is_type, plan

OFFERS_AT_ONCE = 8
"""The most offers in one transaction, under the venue's lock."""
OFFERS_WAIT_S = 0.05
"""How long planning may go on before the offers found so far are made."""
PLANS_MAX = 8
"""The most plans in a row that make no offer because too much changes. The last one makes them anyway."""
RECHECKS_MAX = 3
"""How often a batch of offers is checked against what has changed since, before it is planned again."""
REFUSALS_MAX = 2
"""An entry that is refused its planned place this often is skipped, so that it blocks nobody else."""
RESOURCE_DAYS_MAX = 10_000
"""The longest time that one plan covers, as days times the venue's resources: 166 days of 60 tables. If the entries'
windows form a longer time without a gap, it is planned piece by piece."""
PIECES_MAX = 400
READ_S_MAX = 10.0
WAITING = Asker(source=SOURCE)


@dataclass(slots=True)
class Promotion:
    """Makes all possible offers at one venue.

    It looks at the current state, not at what happened, so it is safe to run at any time, repeatedly and concurrently.
    Each batch of offers is its own transaction, so after a crash the next run continues behind the last batch.
    """

    engine: Engine
    tenant_id: UUID
    venue_id: UUID
    traceparent: str | None = None
    refused: Counter[UUID] = field(default_factory=Counter)

    async def run(self, around: Span | None = None) -> int:
        """Returns the number of offers made.

        `around`: the span that was freed; only visits that touch it are considered. None: all the time that entries
        wait for.

        1. Settle earlier offers.
        2. Read the queue, the rules and the ledger. For each waiting entry, in queue order, look for the first start
           in its window with a free set.
        3. Offer these, a few at a time: holds with the policy's `offer_ttl_seconds`. Check under the venue's lock that
           nothing the offers rely on has changed. If it has, go back to 2.

        A free place is not reserved for the waitlist in the meantime: a booking that comes first gets it.
        """
        overview = await self._reading().run(read_overview, self.venue_id, places=self.engine.places)
        if overview is None:
            return 0
        venue, unsettled, windows = overview
        while unsettled and await self._writing().run(settle, venue):
            pass
        pieces = _pieces(venue, windows, around)
        return sum([await self._offer_in(piece) for piece in pieces])

    async def has_place(self, entry: Entry) -> bool:
        """Whether any place is free that suits the entry, whatever entries are ahead of it.

        For somebody who joins when everything is taken, this check is enough, and much cheaper than going through the
        queue.
        """
        venue = await self._reading().run(read_venue, self.venue_id, places=self.engine.places)
        if venue is None:
            return False
        for piece in _pieces(venue, [Span(entry.earliest_at, entry.latest_at + entry.length)], None):
            seen = await self._see_ledger(Queue(venue, 0, [entry]), piece)
            async for _ in self._batches(seen):
                return True
        return False

    async def _offer_in(self, piece: Span) -> int:
        offers = plans = 0
        while plans < PLANS_MAX:
            queue = await self._reading().run(read_queue, self.venue_id, piece, places=self.engine.places)
            if queue is None:
                break
            plans += 1
            seen = await self._see_ledger(queue, piece)
            made, is_done = await self._carry_out(seen, strictly=plans < PLANS_MAX)
            offers += made
            if is_done:
                break
            if made:
                plans = 0
        return offers

    async def _see_ledger(self, queue: Queue, piece: Span) -> QueueSnapshot:
        sets: dict[Demand, Sets] = {}
        slices = Slices()
        for entry in queue.entries:
            if entry.demand not in sets:
                sets[entry.demand] = _sets(queue.venue, entry)
                await slices.rest()
        longest = max(entry.length for entry in queue.entries)
        around = Span(piece.start - longest, piece.end + longest)
        every = [resources for each in sets.values() for resources in each]
        types = any(map(is_type, queue.entries))
        outlook = await self._reading().run(look, queue.venue, every, around, WAITING, is_type=types)
        usage = None
        if queue.venue.policy.fair_use:
            asked = [(queue.venue, each.asker, around) for each in queue.entries]
            usage = await self._reading().run(read_usage, asked)
        return QueueSnapshot(piece, queue.entries, sets, outlook, queue.version, usage)

    async def _batches(self, seen: QueueSnapshot) -> AsyncIterator[list[Offer]]:
        """Yields the plan's offers, up to OFFERS_AT_ONCE at a time."""
        skip = {id_ for id_, times in self.refused.items() if times >= REFUSALS_MAX}
        slices, found_at = Slices(), 0.0
        batch: list[Offer] = []
        for each in plan(seen, skip=skip):
            await slices.rest()
            if each is not None:
                found_at = found_at if batch else time.monotonic()
                batch.append(each)
            if batch and (len(batch) == OFFERS_AT_ONCE or time.monotonic() - found_at > OFFERS_WAIT_S):
                yield batch
                batch = []
        if batch:
            yield batch

    async def _carry_out(self, seen: QueueSnapshot, *, strictly: bool) -> tuple[int, bool]:
        """Returns the number of the plan's offers that were made, and whether those were all."""
        version: int | None = seen.version
        done = set[UUID]()
        async for planned in self._batches(seen):
            made = await self._make(Batch(seen, planned, version, done, strictly))
            done.update(made.entries)
            self.refused.update(made.refused)
            if made.version is None or len(made.entries) < len(planned):
                return len(done), False
            # What a recheck found is about this batch alone: the next one has to be rechecked too.
            version = made.version if made.is_alone else None
        return len(done), True

    async def _make(self, batch: Batch) -> BatchResult:
        """Makes the offers. Writes nothing if it can't establish that they are still valid."""
        made = BatchResult()
        if batch.version is not None or not batch.strictly:
            made = await self._writing().run(offer, batch, places=self.engine.places)
        for _ in range(RECHECKS_MAX if batch.strictly else 0):
            if made.version is not None:
                break
            version = await self._reading().run(recheck, batch)
            if version is None:
                break
            batch = replace(batch, version=version)
            made = replace(await self._writing().run(offer, batch, places=self.engine.places), is_alone=False)
        return made

    def _reading(self) -> Call:
        return self.engine.db.call(SYSTEM, tenants=[self.tenant_id], deadline_s=READ_S_MAX)

    def _writing(self) -> Call:
        locks = [lock_key(self.venue_id)]
        return self.engine.db.call(
            SYSTEM, tenants=[self.tenant_id], locks=locks, traceparent=self.traceparent
        )


def _sets(venue: Venue, entry: Entry) -> Sets:
    """Returns the sets of resources that would do by the venue's current rules, best first; empty if none would."""
    try:
        sets = candidate_sets(venue, entry.demand)
        return in_order(venue, WAITING, sets) if venue.policy.held_back else sets
    except HoldfastError:
        return ()


def _pieces(venue: Venue, windows: Sequence[Span], around: Span | None) -> list[Span]:
    """Returns the time to plan, in pieces: only time that some entry waits for."""
    if around is not None:
        around = _widened(venue, around)
        windows = [
            Span(max(each.start, around.start), min(each.end, around.end))
            for each in windows
            if each.overlaps(around)
        ]
    longest = timedelta(days=max(RESOURCE_DAYS_MAX // max(len(venue.resources), 1), 1))
    pieces: list[Span] = []
    for window in merged(windows):
        start = window.start
        while start < window.end and len(pieces) < PIECES_MAX:
            pieces.append(Span(start, min(start + longest, window.end)))
            start += longest
    return pieces


def _widened(venue: Venue, span: Span) -> Span:
    """Widens the span to all visits that it affects, by their buffers or their arrivals."""
    buffers = max(
        (each.buffer_before_minutes + each.buffer_after_minutes for each in venue.resources.values()),
        default=0,
    )
    by = timedelta(minutes=buffers) + (REACH if venue.policy.pacing else PACING_WINDOW)
    return Span(span.start - by, span.end + by)
