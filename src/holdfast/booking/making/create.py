"""Creating bookings: the verb, for a whole set at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from holdfast.booking import model
from holdfast.booking.deciding.decide import Further, Refused, decide, prepare
from holdfast.booking.deciding.wanted import Prepared, Wanted
from holdfast.booking.making import create_store
from holdfast.booking.making.claiming import evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.store import Step
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Probe, Shift
from holdfast.kernel import idempotency
from holdfast.kernel.db.tx import Tx, encode_text, lock_key
from holdfast.kernel.errors import HoldfastError, NotFound, Overloaded
from holdfast.kernel.idempotency import DONE, Keyed, Reply
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.pricing import Pricing

FURTHER_MAX = 1
BOOKED = "booking.created"
TOO_LATE = "The booking was not written in time. Try again with the same key."


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking that now exists, and its JSON as its maker sees it."""

    booking: Booking
    body: str


@dataclass(frozen=True, slots=True)
class Again:
    """The stored first answer to the same request."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Busy:
    """To be tried again: somebody else holds the venue's lock, or more of the ledger must be looked at than one set
    has time for."""


Outcome = Booked | Refused | Again | Busy


@dataclass(slots=True, eq=False)
class Waiting:
    """A booking that is wanted, and its answer.

    It waits, and is Overloaded at `until` (the loop's time). Or a transaction with the locks in hand has taken it,
    and then only what becomes of that transaction answers it: no timer may say otherwise.
    """

    wanted: Wanted
    answer: asyncio.Future[Outcome]
    until: float
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.answer.done()

    def wait(self) -> None:
        """Nobody has taken it, or whoever had could do nothing with it."""
        self.take()
        self._timer = self.answer.get_loop().call_at(self.until, self._too_late)

    def take(self) -> bool:
        """Taken from here on, if somebody still waits; answers whether."""
        if self._timer is not None:
            self._timer.cancel()
        return self.is_awaited

    def _too_late(self) -> None:
        self.fail(Overloaded(TOO_LATE))

    def answered(self, outcome: Outcome) -> None:
        if self.take():
            self.answer.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if self.take():
            self.answer.set_exception(error)


async def create(
    tx: Tx, wanted: Sequence[Wanted], *, places: Places, further_max: int = FURTHER_MAX
) -> list[Outcome]:
    """An outcome for each booking wanted, in order; one that is refused never harms another.

    1. Work out from the venues' snapshots when and what each means.
    2. Read, in one statement, all that decides: stored replies, rules versions, claims, arrivals, holds.
       The venues' locks were taken before, in a statement of their own, since a statement's snapshot
       is older than a lock it waited for.
    3. Decide in order of arrival; what was decided counts for the next. Who finds the best SETS_FIRST sets of
       a large venue taken, or a place only where claims of some units move, is decided last, with the rest
       read too: for `further_max` different questions; the others are Busy.
    4. Write it all in one statement. The constraints have the last word: what they raise ends the set.
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
    taken = [moved.pop(each, each) for each in done.claims]  # some of the set have moved for others of it
    shift, put = Shift(), [*taken, *moved.values()]
    if occupancy.expired_in_the_way(put):
        shift = await evict_expired_holds(tx, put, occupancy)
    if moved:
        await claims.move(tx, moved)
    await create_store.write(tx, steps=done.steps, claims=taken, replies=done.replies)
    # A hold that made room may have reached further than what is booked now.
    evicted = {claim.resource_id for claim in shift.freed}
    for venue in venues.values():
        if venue.id in read.maybe_open or not evicted.isdisjoint(venue.resources):
            await announce(tx, venue, shift + Shift(taken=taken), reason=BOOKED)
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
    """A set while it is decided on, and what comes of it. `further`: the probes without which some of it can't be
    decided on."""

    wanted: Sequence[Wanted]
    venues: dict[UUID, Venue]
    read: create_store.Read
    pricing: Pricing
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    replies: list[dict[str, object]] = field(default_factory=list)
    kept: dict[tuple[UUID, str], Reply] = field(default_factory=dict)
    further: dict[int, Sequence[Probe]] = field(default_factory=dict)

    def decide(self, index: int, ready: Prepared | Refused) -> Outcome:
        outcome = self._stored(self.wanted[index]) or self._new(index, ready)
        self.outcomes[index] = outcome
        return outcome

    def _stored(self, wanted: Wanted) -> Outcome | None:
        """The answer that this key has already, from the database or from earlier in the set."""
        if wanted.key is None:
            return None
        at = (wanted.tenant_id, wanted.key)
        reply = self.read.replies.get(at) or self.kept.get(at)
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
            if result.error.kind.is_final:
                self._keep(wanted, result.error.code, idempotency.refusal_body(result.error))
            return result
        booking, actor = result.booking, wanted.actor
        body = encode_text(model.as_json(booking, self.venues[wanted.venue_id], actor))
        step = Step(
            booking=booking,
            from_status=None,
            action="create",
            actor=str(actor),
            traceparent=wanted.traceparent,
        )
        self.steps.append(step)
        self.claims.extend(result.claims)
        self._keep(wanted, DONE, body, subject_id=booking.id)
        return Booked(booking, body)

    def _keep(self, wanted: Wanted, code: str, body: str, *, subject_id: UUID | None = None) -> None:
        if wanted.key is None:
            return
        venue, now = self.venues.get(wanted.venue_id), self.read.known.now
        policy = model.DEFAULT_POLICY if venue is None else venue.policy
        keyed = Keyed(
            tenant_id=wanted.tenant_id,
            operation="create",
            key=wanted.key,
            request_hash=wanted.request_hash,
            ttl_hours=policy.idempotency_ttl_hours,
        )
        reply = Reply(code, body, wanted.request_hash)
        self.kept[wanted.tenant_id, wanted.key] = reply
        self.replies.append(idempotency.row(keyed, reply, now=now, subject_id=subject_id))


async def _decide_further(tx: Tx, prepared: Sequence[Prepared | Refused], done: _Set, *, most: int) -> None:
    """Decides on those for which more of the ledger must be known, for `most` different questions."""
    occupancy = done.read.known.occupancy
    looked: set[object] = set()
    for index in [*done.further]:
        ready = prepared[index]
        assert isinstance(ready, Prepared)
        ready, asked = ready.in_full(), ready.wanted
        question = (ready.venue.id, ready.span, asked.party_size, asked.resource_ids, asked.preferences)
        if question not in looked:
            if len(looked) == most:
                continue
            looked.add(question)
            await claims.learn(tx, occupancy, done.further[index])
        while isinstance(done.decide(index, ready), Busy):
            await claims.learn(tx, occupancy, done.further[index])
