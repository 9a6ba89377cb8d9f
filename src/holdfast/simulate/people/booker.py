"""The client of one person: sends requests for bookings and changes, and records the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from holdfast.booking import store
from holdfast.booking.cancel_item import ItemCancellation, cancel_item
from holdfast.booking.change import Change, change
from holdfast.booking.deciding.known import Refused
from holdfast.booking.making.create import Again, Booked
from holdfast.booking.model import Booking, Details, Guest, as_json
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.booking.wanted import Wanted
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.idempotency import DONE, Keyed, Reply
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from holdfast.planning import change_planned
from holdfast.simulate.people.asking import Send
from holdfast.simulate.people.wish import Intention
from holdfast.simulate.process import Process
from holdfast.simulate.record import Answer
from holdfast.simulate.world import House, World

T = TypeVar("T")
Verb = Callable[..., Awaitable[Any]]
Find = Callable[[Tx, UUID], Awaitable[T]]
Show = Callable[[Any, Venue], Any]

SOURCE: Final = "simulate"
READS_MAX: Final = 12


class Booker:
    """Sends requests to one venue as one actor. Each request has its own key, shared by all its tries.

    `name`: of the person in the simulation; it seeds their random numbers.
    """

    def __init__(self, world: World, house: House, actor: Actor, name: str) -> None:
        self.world, self.house, self.actor, self.name = world, house, actor, name
        self.random = world.random(name)
        self._asked = 0

    def keyed(self, operation: str) -> Keyed:
        self._asked += 1
        key = f"{self.world.run_id} {self.name} {self._asked}"
        hash_ = hashlib.sha256(f"{self.actor} {operation} {key}".encode()).digest()
        return Keyed(self.house.venue.tenant_id, operation, key, hash_)

    def wanted(self, wish: Intention, **more: Any) -> Wanted:
        """Returns the request for the wish."""
        return Wanted(
            id=new_id(),
            tenant_id=self.house.venue.tenant_id,
            venue_id=self.house.id,
            actor=self.actor,
            when=wish.when,
            party_size=wish.party_size,
            resource_ids=wish.resource_ids,
            preferences=wish.preferences,
            extras=wish.extras,
            discount_code=wish.discount_code,
            guest=Guest(id=self.actor.id if self.actor.kind == "guest" else None, name="Sim"),
            details=Details(source=SOURCE),
            **more,
        )

    async def book(self, wanted: Wanted, action: str) -> Answer:
        """Requests the booking from a process's writer."""
        keyed = self.keyed("create")
        wanted = replace(wanted, key=keyed.key, request_hash=keyed.request_hash)

        async def send(process: Process) -> Reply:
            outcome = await process.engine.create(replace(wanted, id=new_id()))
            match outcome:
                case Booked():
                    return Reply(DONE, outcome.body)
                case Again():
                    return outcome.reply
                case Refused():
                    raise outcome.error
                case _:
                    raise Overloaded("busy")

        answer = await self.ask(action, send)
        if answer.is_done:
            self.world.record.created(answer.body, keyed.key)
        return answer

    async def move(self, booking: Booking, to: Status, *, actor: Actor | None = None) -> bool:
        """Moves the booking to another status, as `actor` if given. Returns whether that succeeded."""
        key = self.keyed("status")
        step = Move(booking_id=booking.id, to=to, expected_version=booking.version, reason=key.key)
        return await self._change(to.lower(), move, step, key=key, by=actor or self.actor)

    async def change(self, wanted: Change) -> bool:
        """Changes a booking. Returns whether that succeeded."""
        return await self._change("change", change, wanted, key=self.keyed("update"), by=self.actor)

    async def cancel_item(self, asked: ItemCancellation) -> bool:
        """Takes an item out of an order. Returns whether that succeeded."""
        key = self.keyed("cancel_item")
        return await self._change("cancel_item", cancel_item, asked, key=key, by=self.actor)

    async def _change(self, action: str, verb: Verb, asked: Any, *, key: Keyed, by: Actor) -> bool:
        send = self.once(verb, asked, key=key, show=lambda after, at: as_json(after, at, by), by=by)
        answer = await self.ask(action, send, by=by)
        if answer.is_done:
            self.world.record.step(answer.body)
        return answer.is_done

    def once(self, verb: Verb, asked: Any, *, key: Keyed, show: Show, by: Actor | None = None) -> Send:
        """Returns the request for a change under that key."""

        async def send(process: Process) -> Reply:
            engine, actor = process.engine, by or self.actor
            return (await engine.change_once(actor, self.house.venue, verb, asked, key=key, show=show)).reply

        return send

    def planned(self, plan: Verb, verb: Verb, *, key: Keyed, show: Show) -> Send:
        """Like `once`, for a change that is planned first; `plan` gets the venue and `places`."""

        async def send(process: Process) -> Reply:
            engine, venue = process.engine, self.house.venue
            there = partial(plan, venue=venue, places=engine.places)
            return (await change_planned(engine, self.actor, venue, there, verb, key=key, show=show)).reply

        return send

    async def ask(self, action: str, send: Send, *, by: Actor | None = None) -> Answer:
        """Sends the request until it has an answer, and records that."""
        answer = await self.world.asking.ask(send)
        self.world.record.answered(action, answer, by or self.actor)
        return answer

    async def read(self, booking_id: UUID) -> Booking | None:
        """Returns the booking's current state; None if the database is unreachable for too long."""
        return await self.look(store.find, booking_id, "Booking", tries=READS_MAX)

    async def look(self, find: Find[T], id_: UUID, what: str, *, tries: int = 1) -> T | None:
        """Returns the current state of something acknowledged; None if the database is unreachable on all tries."""
        for _ in range(tries):
            try:
                return await self.world.asking.any().engine.read(self.actor, find, id_)
            except (OutcomeUnknown, Overloaded):
                self.world.record.overloaded += 1
            except HoldfastError as error:
                self.world.record.found_wrong(f"{what} {id_} was acknowledged and is not there: {error}")
                return None
        return None
