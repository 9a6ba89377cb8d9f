"""What the oracle speaks of, as Holdfast takes it and answers it."""

from __future__ import annotations

import orjson

from holdfast.assigning.preferences import Preferences
from holdfast.booking.deciding.known import Refused
from holdfast.booking.making.create import Again, Booked, Outcome
from holdfast.booking.model import Details, Guest
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.db.idempotency import DONE, Keyed, Reply
from holdfast.kernel.http import request_hash
from holdfast.kernel.ids import new_id

from .answers import Key
from .house import House
from .words import Answer, Ask, Edit, Request, Who


def actor(who: Who) -> Actor:
    if who.kind == "system":
        return SYSTEM
    assert who.tenant_id is not None
    roles = frozenset({who.kind})
    kind = "staff" if who.kind == "staff" else "guest"
    return Actor(kind=kind, id=who.id, tenant_ids=(who.tenant_id,), roles=roles)


def _hash(request: Request) -> bytes:
    return request_hash(actor(request.who), repr(request).encode())


def keyed(key: Key | None, request: Request, house: House) -> Keyed | None:
    if key is None:
        return None
    hours = house.rules["idempotency_ttl_hours"]
    return Keyed(key.tenant_id, key.operation, key.text, _hash(request), ttl_hours=hours)


def wanted(ask: Ask, house: House, key: Key | None) -> Wanted:
    day = house.wall(ask.start).date()
    slot = house.slot["id"] if ask.slot and house.slot else None
    return Wanted(
        id=new_id(),
        tenant_id=house.tenant_id,
        venue_id=house.id,
        actor=actor(ask.who),
        when=When(day=day, slot_id=slot) if slot else When(start=ask.start, duration_minutes=ask.minutes),
        party_size=ask.size,
        resource_ids=tuple(house.places[each].id for each in ask.places),
        preferences=Preferences(kinds=ask.kinds),
        guest=Guest(id=ask.guest),
        hold=ask.hold,
        ip=ask.ip if ask.hold else None,
        details=Details(special_requests=ask.note or None),
        key=None if key is None else key.text,
        request_hash=_hash(ask),
    )


def when_changed(edit: Edit) -> When | None:
    if edit.start is None and edit.minutes is None:
        return None
    return When(start=edit.start, duration_minutes=edit.minutes)


def outcome(of: Outcome) -> Answer:
    match of:
        case Booked(_, body):
            return Answer(DONE, body)
        case Again(stored):
            return reply(stored)
        case Refused(error):
            return Answer(error.code, error.detail)
        case _:
            raise AssertionError(f"{of}: the locks were waited for")


def reply(stored: Reply) -> Answer:
    text = stored.body if stored.code == DONE else orjson.loads(stored.body)["detail"]
    return Answer(stored.code, text)
