"""The real thing: the verbs on a database of their own, on an event loop of their own, at any instant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from holdfast.assigning.preferences import Preferences
from holdfast.audit.run import audit
from holdfast.booking.change import Change, change
from holdfast.booking.making.create import create
from holdfast.booking.model import Booking, as_json
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.claim import store as claims
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.idempotency import Keyed
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import parse_document
from holdfast.place.import_venue import import_venue
from holdfast.place.venue import Venue
from tests.engines import engine_over

from . import spoken
from .answers import Key
from .house import House
from .words import Answer, Ask, Cancelling, Changing, Who

T = TypeVar("T")
DEADLINE_S = 60.0
TABLES = """tenant, venue, resource, resource_join, booking, claim, claim_archive, booking_history, idempotency, event,
            event_new, event_log"""


@dataclass(frozen=True)
class State:
    """What the database says. `bookings`: id -> status, version, start, end, size, resources, expiry, length of
    its history, whether its places were named, kinds, whether a length was asked for, whether it is in a slot.
    `claims`: (owner, resource, unit, start, end, expiry)."""

    bookings: dict[UUID, tuple[Any, ...]]
    claims: list[tuple[Any, ...]]

    def units(self, booking_id: UUID) -> dict[UUID, int]:
        """The unit that the booking has of each resource."""
        mine = [claim for claim in self.claims if claim[0] == booking_id]
        assert len({claim[1] for claim in mine}) == len(mine), "two claims on one resource"
        return {claim[1]: claim[2] for claim in mine}


class _AtNow(Database):
    """A database whose transactions have `now` for their instant."""

    now: datetime | None = None

    def call(self, actor: Actor, **knobs: Any) -> Call:
        return super().call(actor, **{"now": self.now, "deadline_s": DEADLINE_S, **knobs})


class World:
    """One database, and what is done in it."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.db = self.do(_AtNow.connect(url, pool_max=2, acquire_timeout_s=DEADLINE_S))
        self.engine = engine_over(self.db)
        self.owner = self.do(asyncpg.connect(url))
        self.places = self.engine.places

    def close(self) -> None:
        self.do(self.owner.close())
        self.do(self.db.close())
        self.loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    # ---- places

    def audit(self) -> list[str]:
        """What the audit says of all there is, check by check."""
        failed = self.do(audit(self.db)).failed
        return [f"{each.check.name}: {each.violations[:3]}" for each in failed]

    def empty(self) -> None:
        """Removes all there is."""
        self.do(self.owner.execute(f"TRUNCATE {TABLES} CASCADE"))

    def open_tenant(self, now: datetime) -> tuple[UUID, str]:
        """A new tenant: its id and slug."""
        slug = f"nord-{new_id().hex[-12:]}"
        tenant = self.do(self.db.call(SYSTEM, now=now).run(create_tenant, slug, "Nord"))
        return tenant.id, slug

    def open_house(self, document: dict[str, Any], *, tenant: str, now: datetime) -> House:
        """The venue of the document, new or rewritten. Snapshots of it that are kept grow old."""
        call = self.db.call(SYSTEM, now=now, deadline_s=DEADLINE_S)
        kept = self.do(call.run(import_venue, parse_document(document), tenant=tenant)).kept
        return House(document, tenant_id=kept.tenant_id, id=kept.id, ids=kept.ids)

    # ---- verbs

    def create(self, asked: Sequence[tuple[Ask, House, Key | None]], now: datetime) -> list[Answer]:
        """What comes of these bookings, written as one set."""
        wanted = [spoken.wanted(ask, house, key) for ask, house, key in asked]
        call = self.db.call(
            SYSTEM,
            tenants={house.tenant_id for _, house, _ in asked},
            locks=sorted({lock_key(house.id) for _, house, _ in asked}),
            now=now,
            deadline_s=DEADLINE_S,
        )
        outcomes = self.do(call.run(create, wanted, places=self.places))
        assert len(outcomes) == len(wanted)
        return [spoken.outcome(each) for each in outcomes]

    def move(
        self, booking_id: UUID, to: Status, version: int, who: Who, house: House, now: datetime
    ) -> Answer:
        """What comes of a step to another status."""
        asked = Move(booking_id=booking_id, to=to, expected_version=version)
        return self._answer(move, asked, who, house, now)

    def cancel(self, asked: Cancelling, house: House, key: Key | None, now: datetime) -> Answer:
        """What comes of a cancellation."""
        step = Move(
            booking_id=asked.booking_id,
            to=Status.CANCELLED,
            expected_version=asked.version,
            reason=asked.note or None,
        )
        return self._answer(move, step, asked.who, house, now, spoken.keyed(key, asked, house))

    def change(self, asked: Changing, house: House, key: Key | None, now: datetime) -> Answer:
        """What comes of a change."""
        edit = asked.edit
        places, kinds = edit.places, edit.kinds
        wanted = Change(
            booking_id=asked.booking_id,
            expected_version=asked.version,
            when=spoken.when_changed(edit),
            party_size=edit.size,
            resource_ids=None if places is None else tuple(house.places[each].id for each in places),
            preferences=None if kinds is None else Preferences(kinds=kinds),
            details={"special_requests": edit.note} if edit.note else {},
        )
        return self._answer(change, wanted, asked.who, house, now, spoken.keyed(key, asked, house))

    def _answer(
        self,
        verb: Callable[..., Awaitable[Booking]],
        asked: Move | Change,
        who: Who,
        house: House,
        now: datetime,
        key: Keyed | None = None,
    ) -> Answer:
        venue = self.places.at_hand(house.id) or self.do(self.places.venue(house.id))
        actor = spoken.actor(who)

        def show(booking: Booking, at: Venue) -> dict[str, Any]:
            return as_json(booking, at, actor)

        self.db.now = now
        try:
            done = self.do(self.engine.change_once(actor, venue, verb, asked, key=key, show=show))
        except HoldfastError as error:
            return Answer(error.code, error.detail)
        finally:
            self.db.now = None
        return spoken.reply(done.reply)

    def tick(
        self, verb: Callable[[Tx, int], Awaitable[int]], tenants: Sequence[UUID], now: datetime, *, limit: int
    ) -> int:
        """How many bookings one run of the tick moved on."""
        return self.do(self.db.call(SYSTEM, tenants=tenants, now=now, deadline_s=DEADLINE_S).run(verb, limit))

    def archive(self, tenants: Sequence[UUID], now: datetime, *, before: datetime, limit: int) -> int:
        """How many claims one run moved out of the ledger."""
        call = self.db.call(SYSTEM, tenants=tenants, now=now, deadline_s=DEADLINE_S)
        return self.do(call.run(claims.archive, before=before, limit=limit))

    # ---- looking

    def look(self, tenants: Sequence[UUID]) -> State:
        """All bookings and claims of these tenants."""
        bookings = self.do(self.owner.fetch(BOOKINGS, tenants))
        claims = self.do(self.owner.fetch(CLAIMS, tenants))
        return State(
            {_id(row[0]): (*row[1:6], tuple(map(_id, row[6])), *row[7:]) for row in bookings},
            sorted((_id(row[0]), _id(row[1]), *row[2:]) for row in claims),
        )


BOOKINGS = """
    SELECT id, status, version, start_at, end_at, party_size, resource_ids, expires_at,
           (SELECT count(*) FROM booking_history
             WHERE booking_history.tenant_id = booking.tenant_id AND booking_id = booking.id),
           chosen_by = 'guest', ARRAY (SELECT jsonb_array_elements_text(preferences -> 'kinds')),
           length_asked, slot_id IS NOT NULL
      FROM booking WHERE tenant_id = ANY ($1::uuid[])
"""
CLAIMS = """
    SELECT owner_id, resource_id, unit, lower(during), upper(during), expires_at
      FROM claim WHERE tenant_id = ANY ($1::uuid[])
"""


def _id(value: UUID) -> UUID:
    # asyncpg's UUIDs are equal to others, but don't sort with them.
    return UUID(int=value.int)
