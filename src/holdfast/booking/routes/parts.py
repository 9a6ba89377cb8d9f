"""What the booking routes have in common."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import orjson
from fastapi import Request, Response

from holdfast.booking import access, store
from holdfast.booking.model import Booking
from holdfast.booking.routes.fields import GUEST_SOURCES, YEAR_MAX, YEAR_MIN, Source
from holdfast.identity.roles import can_touch_tenant, only_tenant, require_venue
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import Forbidden, InvalidRequest, NotFound
from holdfast.kernel.http import answer
from holdfast.kernel.idempotency import DONE, Keyed, Reply, StoredRefusal, request_hash
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue

KEY_CHARS_MAX = 255


async def tenant_for(request: Request, slug: str | None) -> UUID:
    """The tenant named, or the only one the caller belongs to.

    Raises NotFound when it is not the caller's, InvalidRequest when one of several must be named.
    """
    actor: Actor = request.state.actor
    tenant_id = only_tenant(actor) if slug is None else await engine_of(request).places.tenant_id(slug)
    if tenant_id is None or not can_touch_tenant(actor, tenant_id):
        raise NotFound("There is no such tenant, or it is not yours.")
    return tenant_id


async def venue_for(request: Request, venue_id: UUID) -> Venue:
    """The venue, if the caller may book there: anybody anonymous, or who belongs to its tenant.

    It may be an older snapshot: whoever decides by it checks that. Raises NotFound.
    """
    actor: Actor = request.state.actor
    places = engine_of(request).places
    venue = places.at_hand(venue_id) or await places.venue(venue_id)
    if actor.kind != "anonymous":
        require_venue(actor, venue.tenant_id, venue.id)
    return venue


def check_year(field: str, at: date) -> None:
    """Passes for an instant or a date that bookings can have. Raises InvalidRequest."""
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise InvalidRequest.of(field, at.isoformat(), f"must lie in the years {YEAR_MIN} to {YEAR_MAX}")


def check_source(actor: Actor, source: Source) -> None:
    """Passes for a source that the actor may name. Raises Forbidden."""
    if not actor.is_staff and source not in GUEST_SOURCES:
        allowed = " or ".join(sorted(GUEST_SOURCES))
        raise Forbidden(
            f"The source {source} is for staff: guests book with {allowed}.", needed_roles=["staff"]
        )


def idempotency_key(request: Request, field: str | None) -> str | None:
    """The key from the header (bare or quoted) or from the body. Raises InvalidRequest."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return field
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isprintable():
        raise InvalidRequest.of(
            "Idempotency-Key", header[:40], f"must be 1 to {KEY_CHARS_MAX} printable characters"
        )
    if field is not None and field != key:
        raise InvalidRequest.of(
            "idempotency_key", field[:40], "differs from the header Idempotency-Key: give one of them"
        )
    return key


def hash_of(actor: Actor, raw: bytes, *, about: str = "") -> bytes:
    """The hash of a JSON request, the same whatever its spacing and order; the key is no part of it."""
    content = orjson.loads(raw or b"{}")
    content.pop("idempotency_key", None)
    return request_hash(actor, about.encode() + orjson.dumps(content, option=orjson.OPT_SORT_KEYS))


def keyed(
    request: Request, raw: bytes, *, venue: Venue, operation: str, field: str | None, about: str
) -> Keyed | None:
    """The key under which a change was asked for, if any. `about`: what else is part of the request."""
    key = idempotency_key(request, field)
    if key is None:
        return None
    return Keyed(
        tenant_id=venue.tenant_id,
        operation=operation,
        key=key,
        request_hash=hash_of(request.state.actor, raw, about=about),
        ttl_hours=venue.policy.idempotency_ttl_hours,
    )


def show_reply(reply: Reply, *, status: int = 200) -> Response:
    """A reply as it was given, the first time or again. Raises StoredRefusal."""
    if reply.code != DONE:
        raise StoredRefusal(reply)
    return answer(reply.body.encode(), status=status, version=orjson.loads(reply.body)["version"])


async def find_booking(request: Request, booking_id: UUID) -> tuple[Booking, Venue]:
    """A booking that the caller may see, and its venue. Raises NotFound."""
    booking = await engine_of(request).read(request.state.actor, store.find, booking_id)
    access.require_visible(booking, request.state.actor)
    return booking, await engine_of(request).places.venue(booking.venue_id)
