"""The engine: what runs verbs. One per process; routes, ticks, reactions and the simulation are given it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.deciding.wanted import Wanted
from holdfast.booking.finding.by_reference import ByReference
from holdfast.booking.finding.suggest import Suggestions
from holdfast.booking.making.create import Outcome
from holdfast.booking.making.writer import Writer
from holdfast.event.read import is_written
from holdfast.kernel import idempotency
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.gate import Gate
from holdfast.kernel.db.slices import giving_way
from holdfast.kernel.db.turns import Turns
from holdfast.kernel.db.tx import Tx, lock_key, request_deadline
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.idempotency import Done, Keyed, once
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.ports import Ports

T = TypeVar("T")
P = TypeVar("P")
React = Callable[[Tx], Awaitable[None]]
Read = Callable[..., Awaitable[Any]]
"""`await read(verb, *args)`: a verb that writes nothing, run in a transaction of its own, without a lock."""

PLANS_MAX = 3
"""A change is planned so many times at most before it does without what others took meanwhile."""
PLAN_TIMES = 3
"""A plan may take so many times as long as a request: it holds nothing but the turn to plan at its venue."""


class StalePlan(Overloaded):
    """Others changed the same place again and again while this was being planned. Try again with the same key."""


class Engine:
    """Runs verbs: in the venue's turn and under its lock, once for each idempotency key, again after a failure
    that is worth another try (`kernel.call.Call`), with what reacts to their events before they commit.

    db: whose transactions these are; from now on it has these ports and reactions.
    react: called with each transaction that has emitted events, before it commits.
    """

    def __init__(self, db: Database, *, ports: Ports, react: React) -> None:
        self.db = db
        self.ports = ports
        self.places = Places(db)
        self.suggestions = Suggestions(db)
        self.by_reference = ByReference(db)
        self._turns = Turns()
        self._planning, self._previewing = Turns(), Turns()
        self._writer = Writer(db, self.places)
        self._changes_under_way = 0
        self._questions = Gate(self._is_changing)
        self._react = react
        db.ports, db.before_commit, db.is_written = ports, react, is_written
        db.after_commit.append(self.places.committed)

    def over(self, db: Database) -> Engine:
        """The same over other connections, for work that is to wait for nobody else's."""
        return Engine(db, ports=self.ports, react=self._react)

    async def stop(self) -> None:
        """Lets the bookings being written end, for 5 s at most. Those that still wait get Overloaded."""
        await self._writer.stop()

    @property
    def waiting(self) -> int:
        """The number of bookings that wait to be written, those at stuck venues left out."""
        return self._writer.waiting

    async def create(self, wanted: Wanted) -> Outcome:
        """What comes of the booking: Booked, Refused or Again. Raises Overloaded, OutcomeUnknown."""
        with self._changing():
            return await self._writer.submit(wanted)

    def _is_changing(self) -> bool:
        return self._changes_under_way > 0

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._changes_under_way += 1
        try:
            yield
        finally:
            self._changes_under_way -= 1

    async def read(
        self,
        actor: Actor,
        verb: Callable[..., Awaitable[T]],
        /,
        *args: Any,
        tenants: Sequence[UUID] | None = None,
        **kwargs: Any,
    ) -> T:
        """The verb's value; it writes nothing. `tenants`: whose rows it sees; the actor's when None."""
        return await self.db.call(actor, tenants=tenants).run(verb, *args, **kwargs)

    async def read_at(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """The same, with the rows of the venue's tenant, whoever asks."""
        return await self.read(actor, verb, *args, tenants=[venue.tenant_id], **kwargs)

    async def look(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """The same for a question that anybody may ask: in its turn at the gate. Raises Overloaded."""
        async with self._questions.turn(venue.id, verb.__name__):
            return await self.read_at(actor, venue, verb, *args, **kwargs)

    async def look_long(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """The same for one that takes long: `verb(read, *args)` reads in parts, `await read(part, *args)`. Each has
        a turn and a transaction of its own, and in between others have theirs."""
        async with self._questions.query(venue.id, verb.__name__) as turn:

            async def read(part: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
                async with turn():
                    return await self.read_at(actor, venue, part, *args, **kwargs)

            return await verb(read, *args, **kwargs)

    async def write(self, actor: Actor, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """What the verb did, committed, for one that takes the locks it needs itself, or needs none."""
        return await self.db.call(actor, lane="changes").run(verb, *args, **kwargs)

    async def change(
        self,
        actor: Actor,
        venue: Venue,
        verb: Callable[..., Awaitable[T]],
        /,
        *args: Any,
        traceparent: str | None = None,
        is_long: bool = False,
        **kwargs: Any,
    ) -> T:
        """What `verb(tx, *args, venue=..., **kwargs)` did, committed; `venue` is then as the transaction sees it.
        Raises what the verb refuses; NotAvailable comes with suggestions, worked out when the lock is gone.
        Raises Overloaded when turn or lock are not to be had in time, and OutcomeUnknown. `is_long`: with the lock
        held it may take longer than a request usually has; the verb bounds what it writes.
        """

        async def changed(tx: Tx) -> T:
            return await verb(tx, *args, venue=await self.places.current(tx, venue), **kwargs)

        return await self._in_turn(actor, venue, verb.__name__, changed, traceparent, is_long)

    async def change_once(
        self,
        actor: Actor,
        venue: Venue,
        verb: Callable[..., Awaitable[T]],
        /,
        *args: Any,
        key: Keyed | None,
        show: Callable[[T, Venue], Any],
        traceparent: str | None = None,
        is_long: bool = False,
        **kwargs: Any,
    ) -> Done[T]:
        """The same for a change that has a reply, which is stored under the key. `show`: the reply's JSON, from
        the verb's value. Raises IdempotencyConflict too."""

        async def changed(tx: Tx) -> Done[T]:
            current = venue

            async def apply() -> T:
                nonlocal current
                current = await self.places.current(tx, venue)
                return await verb(tx, *args, venue=current, **kwargs)

            return await once(tx, key, apply, lambda value: show(value, current))

        return await self._in_turn(actor, venue, verb.__name__, changed, traceparent, is_long)

    async def plan(
        self, actor: Actor, venue: Venue, plan: Callable[[Read], Awaitable[P]], *, is_preview: bool = False
    ) -> P:
        """What `plan(read)` finds out, holding nothing: in PLAN_TIMES the time of a request, and one at a time for
        each venue, since long plans must not slow everybody else. Previews have turns of their own and give way to
        changes, so that looking keeps nobody from booking. Raises Overloaded."""
        turns = self._previewing if is_preview else self._planning
        way = giving_way(self._is_changing) if is_preview else nullcontext()
        with request_deadline(PLAN_TIMES * self.db.deadline_s), way:
            async with turns.of(venue.id):
                return await plan(partial(self.read_at, actor, venue))

    async def change_planned(
        self,
        actor: Actor,
        venue: Venue,
        plan: Callable[[Read], Awaitable[P]],
        verb: Callable[..., Awaitable[T]],
        /,
        *,
        key: Keyed | None,
        show: Callable[[T, Venue], Any],
        traceparent: str | None = None,
        is_long: bool = False,
    ) -> Done[T]:
        """The same for a change that takes thought: `plan(read)` thinks, holding nothing, and
        `verb(tx, planned, plans_left=..., venue=...)` writes what is planned. A stored reply is the answer.

        1. Plan. A refusal of the plan is that of the change, and is stored under the key when it is final.
        2. Write that or the refusal, in the time of a request. Where the verb raises StalePlan, nothing is written, and
           all is planned anew, PLANS_MAX times in all. The last time `plans_left` is 0: the verb refuses what is taken.
        """
        read = partial(self.read_at, actor, venue)
        more: dict[str, Any] = {"key": key, "show": show, "traceparent": traceparent, "is_long": is_long}
        if key is not None and (stored := await read(idempotency.kept, key)):
            return Done(stored.for_request(key.request_hash))
        plans_left = PLANS_MAX
        while True:
            plans_left -= 1
            try:
                planned = await self.plan(actor, venue, plan)
            except HoldfastError as refused:
                with request_deadline(self.db.deadline_s):
                    if refused.kind.is_final:
                        return await self.change_once(actor, venue, refuse, refused, **more)
                    # What is in the way may be what the same request got, sent twice.
                    if key is not None and (stored := await read(idempotency.kept, key)):
                        return Done(stored.for_request(key.request_hash))
                raise
            try:
                with request_deadline(self.db.deadline_s):
                    return await self.change_once(actor, venue, verb, planned, plans_left=plans_left, **more)
            except StalePlan:
                if not plans_left:
                    raise

    async def change_rules(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """What `verb(tx, venue.id, *args, **kwargs)` did to the venue itself, committed."""

        async def changed(tx: Tx) -> T:
            return await verb(tx, venue.id, *args, **kwargs)

        return await self._in_turn(actor, venue, verb.__name__, changed, None, is_long=False)

    async def _in_turn(
        self,
        actor: Actor,
        venue: Venue,
        name: str,
        changed: Callable[[Tx], Awaitable[T]],
        traceparent: str | None,
        is_long: bool,
    ) -> T:
        changed.__name__ = name  # as metrics and the log know it
        call = self.db.call(
            actor,
            tenants=[venue.tenant_id],
            locks=[lock_key(venue.id)],
            traceparent=traceparent,
            **({"deadline_s": None} if is_long else {}),
        )
        try:
            with self._changing():
                async with self._turns.of(venue.id):
                    return await call.run(changed)
        except NotAvailable as error:
            refused = error
        raise await self.suggesting(refused)

    async def suggesting(self, refused: NotAvailable) -> NotAvailable:
        """The refusal, with what is free instead where there is time to say."""
        if refused.wanted is not None:
            refused.suggesting(await self.suggestions.near(refused.wanted))
        return refused


async def refuse(_tx: Tx, refused: HoldfastError, *, venue: Venue) -> Any:
    """For what a plan refused: raises it where the reply is stored."""
    raise refused
