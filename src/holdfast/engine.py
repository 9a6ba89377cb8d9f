"""The engine runs verbs. There is one per process, which routes, ticks, reactions and the simulation share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from uuid import UUID

from holdfast.booking.finding.by_reference import ByReference
from holdfast.booking.finding.suggest import Suggestions
from holdfast.booking.fitting.no_longer_fit import Unfit
from holdfast.booking.making.create import Outcome
from holdfast.booking.making.writer import Writer
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.wanted import Wanted
from holdfast.event.read import is_written
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.gate import BEGUN_MAX, Gate
from holdfast.kernel.db.idempotency import Done, Keyed, once
from holdfast.kernel.db.tx import Tx, lock_key, part_s
from holdfast.kernel.errors import Overloaded
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.ports import Ports

T = TypeVar("T")
React = Callable[[Tx], Awaitable[None]]
WAIT_S = 1.5
"""The longest wait for a turn, for a request with the default deadline."""
WAITING_MAX = 500
"""The most callers that may wait for the same turn."""


class Engine:
    """Runs verbs: queued per venue and under the venue's lock, once per idempotency key, retried after a temporary
    failure (`kernel.db.call.Call`), and with the immediate reactions to their events before the commit.

    `db`: the database, which gets these ports and reactions. `react`: called before the commit of each transaction
    that has emitted events of the types in `reacts_to` (None: of any type).
    """

    def __init__(
        self, db: Database, *, ports: Ports, react: React, reacts_to: frozenset[str] | None = None
    ) -> None:
        self.db = db
        self.ports = ports
        self.places = Places(db)
        self.suggestions = Suggestions(db)
        self.by_reference = ByReference(db)
        self.fitting = Unfit(db, self.is_changing)
        self._turns = Turns()
        self.planning, self.previewing = Turns(), Turns()
        self._writer = Writer(db, self.places)
        self._changes_under_way = 0
        self._questions = Gate(self.is_changing, begun_max=min(BEGUN_MAX, max(1, db.reads_max - 1)))
        self._react, self._reacts_to = react, reacts_to
        db.ports, db.before_commit, db.is_written = ports, react, is_written
        db.reacts_to = reacts_to
        db.after_commit.append(self.places.committed)

    def over(self, db: Database) -> Engine:
        """Returns an engine like this one with other connections, for work that must not wait for other work."""
        return Engine(db, ports=self.ports, react=self._react, reacts_to=self._reacts_to)

    async def stop(self) -> None:
        """Waits up to 5 s for the bookings that are being written. Those still queued get Overloaded."""
        await self._writer.stop()

    @property
    def waiting(self) -> int:
        """The number of bookings queued for writing, except those at venues whose lock is late."""
        return self._writer.waiting

    async def create(self, wanted: Wanted) -> Outcome:
        """Makes the booking. Returns Booked, Refused, or Again (a stored reply). Raises Overloaded, OutcomeUnknown."""
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
        """Runs a verb that only reads. `tenants`: those whose rows it sees; None means the actor's."""
        return await self.db.call(actor, tenants=tenants).run(verb, *args, **kwargs)

    async def read_at(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """Like `read`, but sees the rows of the venue's tenant, whoever the actor is."""
        return await self.read(actor, verb, *args, tenants=[venue.tenant_id], **kwargs)

    async def look(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """Like `read_at`, for public reads: waits for its turn at the gate. Raises Overloaded."""
        async with self._questions.turn(venue.id, verb.__name__):
            return await self.read_at(actor, venue, verb, *args, **kwargs)

    async def look_long(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """Like `look`, for a read that takes long: `verb(read, *args)` reads in parts, with `await read(part, *args)`.
        Each part has its own turn and transaction, so that other reads can run in between."""
        async with self._questions.query(venue.id, verb.__name__) as turn:

            async def read(part: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
                async with turn():
                    return await self.read_at(actor, venue, part, *args, **kwargs)

            return await verb(read, *args, **kwargs)

    async def write(self, actor: Actor, verb: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Runs a verb that takes its own locks, if it needs any, and commits."""
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
        """Runs `verb(tx, *args, venue=..., **kwargs)` in the venue's turn and under its lock, and commits. The verb
        gets the venue as the transaction sees it.

        `is_long`: once it has the lock, it has no deadline; the verb must bound what it writes.
        Raises what the verb raises; to a Suggestible it adds suggestions, searched for after the lock is released.
        Raises Overloaded if it doesn't get the turn or the lock in time, and OutcomeUnknown.
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
        """Like `change`, for a change with a reply, which is stored under the key. `show`: returns the reply's JSON for
        the verb's value. Also raises IdempotencyConflict."""

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
        """Like `change`, for a change to the venue itself: runs `verb(tx, venue.id, *args, **kwargs)`."""

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
        changed.__name__ = name  # the name in metrics and the log
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
        except Suggestible as error:
            refused = error
        raise await self.suggesting(refused)

    async def suggesting(self, refused: Suggestible) -> Suggestible:
        """Returns the refusal, with suggestions of free times if there is time to find them."""
        if refused.wanted is not None:
            refused.suggesting(await self.suggestions.near(refused.wanted))
        return refused


class Turns:
    """One turn at a time per id. Callers that need the same lock queue here, where they hold no connection."""

    def __init__(self) -> None:
        self._locks: dict[UUID, asyncio.Lock] = {}
        self._wanting: dict[UUID, int] = {}

    @asynccontextmanager
    async def of(self, id_: UUID) -> AsyncIterator[None]:
        """Has the id's turn for the block. Raises Overloaded after WAIT_S, at the request's deadline, or at once if
        WAITING_MAX callers are already waiting."""
        if self._wanting.get(id_, 0) >= WAITING_MAX:
            raise Overloaded("Too many changes to this venue are queued. Try again with the same key.")
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
