"""One person's hands: asking for bookings and steps of them, and noting what they are told."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from holdfast.booking import store
from holdfast.booking.change import Change, change
from holdfast.booking.create import Again, Booked
from holdfast.booking.decide import Refused
from holdfast.booking.model import Booking, as_json
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.booking.wanted import Guest, Wanted
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.kernel.idempotency import DONE, Keyed, Reply
from holdfast.kernel.ids import new_id
from holdfast.simulate.process import Process
from holdfast.simulate.record import Answer
from holdfast.simulate.wish import Wish
from holdfast.simulate.world import House, World

SOURCE: Final = "simulate"
READS_MAX: Final = 12


class Booker:
    """Asks at one venue for one actor. Each request has a key of its own, which all its tries carry.

    `name`: of the person in the simulation, whose dice these are.
    """

    def __init__(self, world: World, house: House, actor: Actor, name: str) -> None:
        self.world, self.house, self.actor, self.name = world, house, actor, name
        self.random = world.random(name)
        self._asked = 0

    def key(self) -> str:
        self._asked += 1
        return f"{self.world.run_id} {self.name} {self._asked}"

    def keyed(self, operation: str) -> Keyed:
        key = self.key()
        hash_ = hashlib.sha256(f"{self.actor} {operation} {key}".encode()).digest()
        return Keyed(self.house.venue.tenant_id, operation, key, hash_)

    def wanted(self, wish: Wish, **more: Any) -> Wanted:
        """What the wish comes to."""
        return Wanted(
            id=new_id(),
            tenant_id=self.house.venue.tenant_id,
            venue_id=self.house.id,
            actor=self.actor,
            when=wish.when,
            party_size=wish.party_size,
            resource_ids=wish.resource_ids,
            preferences=wish.preferences,
            guest=Guest(id=self.actor.id if self.actor.kind == "guest" else None, name="Sim"),
            source=SOURCE,
            **more,
        )

    async def book(self, wanted: Wanted, action: str) -> Answer:
        """Asks the writer of a process for it."""
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

        answer = await self.world.asking.ask(send)
        self.world.record.answered(action, answer, self.actor)
        if answer.is_done:
            self.world.record.created(answer.body, keyed.key)
        return answer

    async def move(self, booking: Booking, to: Status, *, actor: Actor | None = None) -> bool:
        """Takes a step, as somebody else if `actor` says so; answers whether it was taken."""
        key = self.keyed("status")
        step = Move(booking_id=booking.id, to=to, expected_version=booking.version, reason=key.key)
        return await self._change(to.lower(), move, step, key=key, by=actor or self.actor)

    async def change(self, wanted: Change) -> bool:
        """Changes a booking; answers whether it was done."""
        return await self._change("change", change, wanted, key=self.keyed("update"), by=self.actor)

    async def _change(
        self,
        action: str,
        verb: Callable[..., Awaitable[Booking]],
        asked: Change | Move,
        *,
        key: Keyed,
        by: Actor,
    ) -> bool:
        async def send(process: Process) -> Reply:
            done = await process.engine.change_once(
                by, self.house.venue, verb, asked, key=key, show=lambda after, at: as_json(after, at, by)
            )
            return done.reply

        answer = await self.world.asking.ask(send)
        self.world.record.answered(action, answer, by)
        if answer.is_done:
            self.world.record.step(answer.body)
        return answer.is_done

    async def read(self, booking_id: UUID) -> Booking | None:
        """The booking as it is; None when the database can't be reached for long."""
        for _ in range(READS_MAX):
            try:
                return await self.world.asking.any().engine.read(self.actor, store.find, booking_id)
            except (OutcomeUnknown, Overloaded):
                self.world.record.overloaded += 1
            except HoldfastError as error:
                self.world.record.found_wrong(
                    f"Booking {booking_id} was acknowledged and is not there: {error}"
                )
                return None
        return None
