"""What the booking routes have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Depends, Request, Response

from holdfast.booking import access, store
from holdfast.booking.model import Booking
from holdfast.booking.routes.fields import GUEST_SOURCES, YEAR_MAX, YEAR_MIN, Source
from holdfast.engine import Engine
from holdfast.identity.roles import only_tenant
from holdfast.kernel.actor import Actor, can_touch_tenant, require_venue
from holdfast.kernel.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from holdfast.kernel.http import answer
from holdfast.kernel.idempotency import DONE, Keyed, Reply, StoredRefusal, request_hash
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue

KEY_CHARS_MAX = 255


async def tenant_for(engine: Engine, actor: Actor, slug: str | None) -> UUID:
    """The tenant named, or the only one the caller belongs to.

    Raises NotFound when it is not the caller's, InvalidRequest when one of several must be named.
    """
    tenant_id = only_tenant(actor) if slug is None else await engine.places.tenant_id(slug)
    if tenant_id is None or not can_touch_tenant(actor, tenant_id):
        raise NotFound("There is no such tenant, or it is not yours.")
    return tenant_id


async def venue_for(engine: Engine, actor: Actor, venue_id: UUID) -> Venue:
    """The venue, if the caller may book there: anybody anonymous, or who belongs to its tenant.

    It may be an older snapshot: whoever decides by it checks that. Raises NotFound.
    """
    venue = engine.places.at_hand(venue_id) or await engine.places.venue(venue_id)
    if actor.kind != "anonymous":
        require_venue(actor, venue.tenant_id, venue.id)
    return venue


async def own_venue(engine: Engine, actor: Actor, venue_id: UUID) -> Venue:
    """The venue, for those who work there. Raises Unauthenticated, Forbidden, NotFound."""
    if actor.kind == "anonymous":
        raise Unauthenticated
    venue = await venue_for(engine, actor, venue_id)
    access.require_staff(actor, venue)
    return venue


def check_year(field: str, at: date) -> None:
    """Passes for an instant or a date that bookings can have. Raises InvalidRequest."""
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise InvalidRequest.of(field, at.isoformat(), f"must lie in the years {YEAR_MIN} to {YEAR_MAX}")


def check_notes(actor: Actor, *, is_said: bool) -> None:
    """Passes where nothing is said about internal notes, and for staff. Raises Forbidden."""
    if is_said and not actor.is_staff:
        raise Forbidden("Internal notes are for staff.", needed_roles=["staff"])


def check_source(actor: Actor, source: Source) -> None:
    """Passes for a source that the actor may name. Raises Forbidden."""
    if not actor.is_staff and source not in GUEST_SOURCES:
        allowed = " or ".join(sorted(GUEST_SOURCES))
        raise Forbidden(
            f"The source {source} is for staff: guests book with {allowed}.", needed_roles=["staff"]
        )


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change as it was sent: who asks which engine, and what makes it the same as one before, which is the
    idempotency key and the body. The key may be in a header (bare or quoted) or in a field of the body."""

    engine: Engine
    actor: Actor
    traceparent: str | None
    header: str | None
    body: bytes

    def key(self, field: str | None) -> str | None:
        """The key, if there is one. Raises InvalidRequest."""
        if self.header is None:
            return field
        key = self.header.strip()
        if len(key) >= 2 and key[0] == key[-1] == '"':
            key = key[1:-1]
        if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isprintable():
            raise InvalidRequest.of(
                "Idempotency-Key", self.header[:40], f"must be 1 to {KEY_CHARS_MAX} printable characters"
            )
        if field is not None and field != key:
            raise InvalidRequest.of(
                "idempotency_key", field[:40], "differs from the header Idempotency-Key: give one of them"
            )
        return key

    def hash(self, about: str) -> bytes:
        """The same whatever the spacing and order of the JSON; the key is no part of it. `about`: what else is part
        of the request."""
        content = orjson.loads(self.body or b"{}")
        content.pop("idempotency_key", None)
        return request_hash(self.actor, about.encode() + orjson.dumps(content, option=orjson.OPT_SORT_KEYS))

    def keyed(self, venue: Venue, operation: str, field: str | None, *, about: str = "") -> Keyed | None:
        """The key under which a change at the venue is asked for, if any. Raises InvalidRequest."""
        key = self.key(field)
        if key is None:
            return None
        return Keyed(
            tenant_id=venue.tenant_id,
            operation=operation,
            key=key,
            request_hash=self.hash(about),
            ttl_hours=venue.policy.idempotency_ttl_hours,
        )


async def change_request(request: Request) -> ChangeRequest:
    """What the request is, to whoever changes something."""
    state, header = request.state, request.headers.get("idempotency-key")
    return ChangeRequest(engine_of(request), state.actor, state.traceparent, header, await request.body())


AskedChange = Annotated[ChangeRequest, Depends(change_request)]


def show_reply(reply: Reply, *, status: int = 200) -> Response:
    """A reply as it was given, the first time or again. Raises StoredRefusal."""
    if reply.code != DONE:
        raise StoredRefusal(reply)
    return answer(reply.body.encode(), status=status, version=orjson.loads(reply.body)["version"])


async def find_booking(engine: Engine, actor: Actor, booking_id: UUID) -> tuple[Booking, Venue]:
    """A booking that the caller may see, and its venue. Raises NotFound."""
    booking = await engine.read(actor, store.find, booking_id)
    access.require_visible(booking, actor)
    return booking, await engine.places.venue(booking.venue_id)
