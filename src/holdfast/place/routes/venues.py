"""Venues over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from holdfast.engine import Engine
from holdfast.identity.roles import require
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest, NotFound
from holdfast.kernel.http import LIMIT_DEFAULT, Caller, Cursor, IfMatch, Limit, answer, required_version
from holdfast.place import store
from holdfast.place.asked import VenueChange, changes_of
from holdfast.place.change_venue import change_venue
from holdfast.place.routes.at_hand import EngineUsed, TenantQuery, changed_venue, public_venue
from holdfast.place.shown import VenuePage, VenueShown, listed_shown, venue_shown

router = APIRouter()


@router.get("/venues", response_model=VenuePage, summary="List venues")
async def get_venues(
    engine: EngineUsed,
    actor: Caller,
    tenant: TenantQuery = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """The venues of a tenant: of `tenant`, which is needed without a token, or of the token's own, and
    then only those the token is limited to."""
    tenant_id = await _tenant_asked(actor, engine, tenant)
    found = await engine.read(
        actor,
        store.list_venues,
        tenant_id=tenant_id,
        venue_ids=actor.venue_ids,
        after=_after(cursor),
        limit=limit + 1,
        tenants=None if tenant_id is None else [tenant_id],
    )
    items = [listed_shown(each) for each in found[:limit]]
    return answer({"items": items, "next": str(found[limit - 1].id) if len(found) > limit else None})


@router.get("/venues/{venue_id}", response_model=VenueShown, summary="Read a venue")
async def get_venue(venue_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """For anyone: a venue with its rules and resources."""
    kept = await public_venue(engine, actor, venue_id)
    return answer(venue_shown(kept), version=kept.version)


@router.patch("/venues/{venue_id}", response_model=VenueShown, summary="Change a venue")
async def patch_venue(
    venue_id: UUID, body: VenueChange, engine: EngineUsed, actor: Caller, if_match: IfMatch
) -> Response:
    """For managers: name, kind, time zone and currency. Bookings keep the instants they have."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    kept = await changed_venue(
        engine, actor, venue_id, change_venue, changes_of(body), expected_version=version
    )
    return answer(venue_shown(kept), version=kept.version)


async def _tenant_asked(actor: Actor, engine: Engine, slug: str | None) -> UUID | None:
    """The tenant named, of whoever it is, or the caller's; None: a platform administrator asks for all."""
    if slug is not None:
        tenant_id = await engine.places.tenant_id(slug)
        if tenant_id is None:
            raise NotFound(f"There is no tenant {slug}.")
        return tenant_id
    if actor.tenant_ids is None:
        return None
    if len(actor.tenant_ids) != 1:
        raise InvalidRequest.of("tenant", None, "is required without a token: the slug of a tenant")
    return actor.tenant_ids[0]


def _after(cursor: str | None) -> UUID | None:
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError:
        raise InvalidRequest.of("cursor", cursor, "must be `next` of a page before") from None
