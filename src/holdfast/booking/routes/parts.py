"""Functions that several routes share: tenants, venues and dates in requests."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from holdfast.booking.routes.requests import YEAR_MAX, YEAR_MIN
from holdfast.engine import Engine
from holdfast.identity.roles import only_tenant
from holdfast.kernel.actor import Actor, can_touch_tenant, require_staff
from holdfast.kernel.errors import InvalidRequest, NotFound, Unauthenticated
from holdfast.place.venue import Venue


async def tenant_for(engine: Engine, actor: Actor, slug: str | None) -> UUID:
    """Returns the tenant with that slug; without a slug, the only tenant the caller belongs to.

    Raises NotFound if the caller does not belong to it, InvalidRequest if there is no slug and the caller
    belongs to several tenants.
    """
    tenant_id = only_tenant(actor) if slug is None else await engine.places.tenant_id(slug)
    if tenant_id is None or not can_touch_tenant(actor, tenant_id):
        raise NotFound("There is no such tenant, or it is not yours.")
    return tenant_id


async def own_venue(engine: Engine, actor: Actor, venue_id: UUID) -> Venue:
    """Returns the venue, if the caller works there. Raises Unauthenticated, Forbidden, NotFound."""
    if actor.kind == "anonymous":
        raise Unauthenticated
    venue = await engine.places.bookable(actor, venue_id)
    require_staff(actor, venue)
    return venue


def check_year(field: str, at: date) -> None:
    """Raises InvalidRequest if bookings can't have this instant or date."""
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise InvalidRequest.of(field, at.isoformat(), f"must be in the years {YEAR_MIN} to {YEAR_MAX}")
