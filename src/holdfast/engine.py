"""The engine: it runs verbs. There is one per process; routes, ticks, reactions and the simulation get it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from uuid import UUID

from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.deciding.wanted import Wanted
from holdfast.booking.finding.by_reference import ByReference
from holdfast.booking.finding.suggest import Suggestions
from holdfast.booking.making.create import Outcome
from holdfast.booking.making.writer import Writer
from holdfast.event.read import is_written
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.gate import Gate
from holdfast.kernel.db.tx import Tx, lock_key, part_s
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.idempotency import Done, Keyed, once
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.ports import Ports

T = TypeVar("T")
React = Callable[[Tx], Awaitable[None]]
WAIT_S = 1.5
"""The longest wait for a turn, of a request with the usual deadline."""
WAITING_MAX = 500
"""How many callers may wait for the same turn."""


class Engine:
    """Runs verbs: in the venue's turn and under its lock, once for each idempotency key, again after a failure
    that is worth another try (`kernel.call.Call`), with what reacts to their events before they commit.

    db: whose transactions these are; from now on it has these ports and reactions.
    react: called before the commit of each transaction that has emitted events of the types `reacts_to` (None: of any).
    """

    def __init__(
        self, db: Database, *, ports: Ports, react: React, reacts_to: frozenset[str] | None = None
    ) -> None:
        self.db = db
        self.ports = ports
        self.places = Places(db)
        self.suggestions = Suggestions(db)
        self.by_reference = ByReference(db)
        self._turns = Turns()
        self.planning, self.previewing = Turns(), Turns()
        self._writer = Writer(db, self.places)
        self._changes_under_way = 0
        self._questions = Gate(self.is_changing)
        self._react, self._reacts_to = react, reacts_to
        db.ports, db.before_commit, db.is_written = ports, react, is_written
        db.reacts_to = reacts_to
        db.after_commit.append(self.places.committed)

    def over(self, db: Database) -> Engine:
        """The same over other connections, for work that is to wait for nobody else's."""
        return Engine(db, ports=self.ports, react=self._react, reacts_to=self._reacts_to)

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

    def is_changing(self) -> bool:
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


class Turns:
    """One turn at a time per id: callers that need the same lock queue here instead of in the database."""

    def __init__(self) -> None:
        self._locks: dict[UUID, asyncio.Lock] = {}
        self._wanting: dict[UUID, int] = {}

    @asynccontextmanager
    async def of(self, id_: UUID) -> AsyncIterator[None]:
        """The id's turn, for the block. Raises Overloaded after WAIT_S, at the request's deadline, or at once when
        WAITING_MAX callers are already waiting."""
        if self._wanting.get(id_, 0) >= WAITING_MAX:
            raise Overloaded("Too many changes are waiting there. Try again with the same key.")
        lock = self._locks.setdefault(id_, asyncio.Lock())
        self._wanting[id_] = self._wanting.get(id_, 0) + 1
        try:
            async with _within_time(lock):
                yield
        finally:
            self._wanting[id_] -= 1
            if not self._wanting[id_]:
                del self._wanting[id_], self._locks[id_]


@asynccontextmanager
async def _within_time(gate: asyncio.Lock) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(part_s(WAIT_S)):
            await gate.acquire()
    except TimeoutError:
        raise Overloaded(
            "Other changes to the same venue took too long. Try again with the same key."
        ) from None
    try:
        yield
    finally:
        gate.release()
