"""Creates bookings, a whole set at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from holdfast.booking import model
from holdfast.booking.deciding.decide import decide
from holdfast.booking.deciding.known import Further, Refused
from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.making import create_store
from holdfast.booking.making.claiming import arriving, evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.store import Step, said_of
from holdfast.booking.wanted import Prepared, Wanted
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Probe, Shift
from holdfast.kernel.db import idempotency
from holdfast.kernel.db.idempotency import DONE, Reply
from holdfast.kernel.db.tx import Tx, encode_text, lock_key
from holdfast.kernel.errors import HoldfastError, NotFound, Overloaded
from holdfast.kernel.value import value
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.pricing import Pricing

FURTHER_MAX = 1
_HOUR = timedelta(hours=1)
BOOKED = "booking.created"
TOO_LATE = "The booking was not written in time. Try again with the same key."


@value()
class Booked:
    """A created booking, and its JSON as the actor who created it sees it."""

    booking: Booking
    body: str


@value()
class Again:
    """The stored reply to an earlier request with the same key."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Busy:
    """Not decided, to be retried: another transaction holds the venue's lock, or the decision needs more ledger reads
    than one set has time for."""


Outcome = Booked | Refused | Again | Busy


@dataclass(slots=True, eq=False)
class Waiting:
    """A wanted booking in the writer's queue, and the future of its answer.

    While it waits, a timer answers it with Overloaded at `until` (event loop time). Once a transaction that holds the
    locks has taken it, there is no timer: only the outcome of that transaction answers it.
    """

    wanted: Wanted
    answer: asyncio.Future[Outcome]
    until: float
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody is still waiting for the answer."""
        return not self.answer.done()

    def start_timer(self) -> None:
        """Starts the timer: the booking is queued, for the first time or again."""
        self.take()
        self._timer = self.answer.get_loop().call_at(self.until, self._too_late)

    def take(self) -> bool:
        """Stops the timer. Returns whether somebody is still waiting for the answer."""
        if self._timer is not None:
            self._timer.cancel()
        return self.is_awaited

    def _too_late(self) -> None:
        self.fail(Overloaded(TOO_LATE))

    def resolve(self, outcome: Outcome) -> None:
        if self.take():
            self.answer.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if self.take():
            self.answer.set_exception(error)


async def create(
    tx: Tx, wanted: Sequence[Wanted], *, places: Places, further_max: int = FURTHER_MAX
) -> list[Outcome]:
    """Returns an outcome for each wanted booking, in order. A refused one never affects the others.

    1. Resolve each booking's span and candidate resources from the cached venues.
    2. Read, in one statement, everything the decisions depend on: stored replies, rules versions, claims, arrivals,
       holds. The venues' locks were taken before, in a separate statement, because a statement's snapshot is older
       than a lock it waited for.
    3. Decide in order of arrival, counting the earlier bookings. Two kinds are decided last, because they need further
       ledger reads: those for which the best SETS_FIRST sets of a large venue are taken, and those that fit only if
       claims move to other units. The reads are done for up to `further_max` different demands; the rest are Busy.
    4. Write everything in one statement. The constraints have the last word: a violation fails the whole set.
    """
    venues = await _venues(tx, wanted, places)
    prepared, read = await _read(tx, wanted, venues)
    stale = [id_ for id_, venue in venues.items() if read.rules_versions.get(id_) != venue.rules_version]
    if stale:
        venues |= await places.reload(tx, stale)
        prepared, read = await _read(tx, wanted, venues)
    if read.expired_keys:
        await idempotency.forget(tx, read.expired_keys, operation="create")
    done = _Set(wanted, venues, read, tx.ports.pricing)
    for index, (each, ready) in enumerate(zip(wanted, prepared, strict=True)):
        if tx.locked is not None and lock_key(each.venue_id) not in tx.locked:
            done.outcomes[index] = Busy()
        else:
            done.decide(index, ready)
    await _decide_further(tx, prepared, done, most=further_max)
    occupancy = read.known.occupancy
    moved = occupancy.moved
    taken = [moved.pop(each, each) for each in done.claims]  # some moved to make room for others
    shift, placed = Shift(), [*taken, *moved.values()]
    if occupancy.expired_in_the_way(placed):
        shift = await evict_expired_holds(tx, placed, occupancy)
    if moved:
        shift += await claims.move(tx, moved)
    await create_store.write(tx, steps=done.steps, claims=taken, replies=done.replies)
    # An evicted hold may have covered more than the new booking does.
    evicted = {claim.resource_id for claim in shift.freed}
    for venue in venues.values():
        if venue.id in read.maybe_open or any(each in venue.resources for each in evicted):
            came = arriving(after=[step.booking for step in done.steps])
            await announce(tx, venue, shift + Shift(taken=taken) + came, reason=BOOKED)
    return [done.outcomes[index] for index in range(len(wanted))]


async def _venues(tx: Tx, wanted: Sequence[Wanted], places: Places) -> dict[UUID, Venue]:
    at_hand = {each.venue_id: places.at_hand(each.venue_id) for each in wanted}
    missing = [id_ for id_, venue in at_hand.items() if venue is None]
    loaded = await places.reload(tx, missing) if missing else {}
    return {id_: venue for id_, venue in at_hand.items() if venue is not None} | loaded


async def _read(
    tx: Tx, wanted: Sequence[Wanted], venues: dict[UUID, Venue]
) -> tuple[list[Prepared | Refused], create_store.Read]:
    prepared = [_prepare(tx, each, venues.get(each.venue_id)) for each in wanted]
    ready = [each for each in prepared if isinstance(each, Prepared)]
    return prepared, await create_store.read(tx, wanted, ready)


def _prepare(tx: Tx, wanted: Wanted, venue: Venue | None) -> Prepared | Refused:
    try:
        if venue is None:
            raise NotFound(f"There is no venue {wanted.venue_id}.")
        return prepare(wanted, venue, now=tx.now)
    except HoldfastError as error:
        return Refused(error)


@dataclass(slots=True)
class _Set:
    """A set while it is being decided, with the results so far. `further`: by index, the probes that a decision still
    needs."""

    wanted: Sequence[Wanted]
    venues: dict[UUID, Venue]
    read: create_store.Read
    pricing: Pricing
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    replies: list[idempotency.Row] = field(default_factory=list)
    stored: dict[tuple[UUID, str], Reply] = field(default_factory=dict)
    further: dict[int, Sequence[Probe]] = field(default_factory=dict)

    def decide(self, index: int, ready: Prepared | Refused) -> Outcome:
        outcome = self._replay(self.wanted[index]) or self._new(index, ready)
        self.outcomes[index] = outcome
        return outcome

    def _replay(self, wanted: Wanted) -> Outcome | None:
        """Returns the outcome of this key if it has a reply, in the database or from earlier in this set."""
        if wanted.key is None:
            return None
        at = (wanted.tenant_id, wanted.key)
        reply = self.read.replies.get(at) or self.stored.get(at)
        try:
            return None if reply is None else Again(reply.for_request(wanted.request_hash))
        except HoldfastError as error:
            return Refused(error)

    def _new(self, index: int, ready: Prepared | Refused) -> Outcome:
        wanted = self.wanted[index]
        result = ready if isinstance(ready, Refused) else decide(ready, self.read.known, self.pricing)
        if isinstance(result, Further):
            self.further[index] = result.probes
            return Busy()
        if isinstance(result, Refused):
            if result.error.is_final:
                self._store(wanted, result.error.code, idempotency.refusal_body(result.error))
            return result
        booking, actor = result.booking, wanted.actor
        body = encode_text(model.as_json(booking, self.venues[wanted.venue_id], actor))
        said = said_of(booking.overrides)
        step = Step(
            booking=booking,
            from_status=None,
            action="create",
            actor=str(actor),
            traceparent=wanted.traceparent,
            metadata=said,
            facts=said,
        )
        self.steps.append(step)
        self.claims.extend(result.claims)
        self._store(wanted, DONE, body, subject_id=booking.id)
        return Booked(booking, body)

    def _store(self, wanted: Wanted, code: str, body: str, *, subject_id: UUID | None = None) -> None:
        if wanted.key is None:
            return
        venue, now = self.venues.get(wanted.venue_id), self.read.known.now
        policy = model.DEFAULT_POLICY if venue is None else venue.policy
        self.stored[wanted.tenant_id, wanted.key] = Reply(code, body, wanted.request_hash)
        reply = idempotency.Row(
            tenant_id=wanted.tenant_id,
            operation="create",
            key=wanted.key,
            request_hash=f"\\x{wanted.request_hash.hex()}",
            code=code,
            body=body,
            subject_id=subject_id,
            created_at=now,
            expires_at=now + policy.idempotency_ttl_hours * _HOUR,
        )
        self.replies.append(reply)


async def _decide_further(tx: Tx, prepared: Sequence[Prepared | Refused], done: _Set, *, most: int) -> None:
    """Decides the bookings that need further ledger reads, for up to `most` different demands."""
    occupancy = done.read.known.occupancy
    questions: set[object] = set()
    for index in [*done.further]:
        ready = prepared[index]
        assert isinstance(ready, Prepared)
        ready = ready.in_full()
        question = (ready.venue.id, ready.span, ready.wanted.demand)
        if question not in questions:
            if len(questions) == most:
                continue
            questions.add(question)
            await claims.learn(tx, occupancy, done.further[index])
        while isinstance(done.decide(index, ready), Busy):
            await claims.learn(tx, occupancy, done.further[index])
