"""The HTTP routes of resources."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from holdfast.engine import Engine
from holdfast.identity.roles import require
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.errors import NotFound
from holdfast.kernel.http import Caller, IfMatch, SeenVersion, answer, required_version
from holdfast.kernel.paging import AskedPage
from holdfast.place import store
from holdfast.place.change_venue import add_resource, change_resource, own_resource, remove_resource
from holdfast.place.document import ResourceDocument
from holdfast.place.kept import Kept
from holdfast.place.routes.at_hand import EngineUsed, VenueInPath, changed_venue, public_venue
from holdfast.place.shown import (
    BY_ORDER,
    ResourceChange,
    ResourcePage,
    ResourceShown,
    changes_of,
    order_of,
    resources_after,
    resources_shown,
)

router = APIRouter()


@router.get(
    "/venues/{venue_id}/resources",
    operation_id="list_resources",
    response_model=ResourcePage,
    summary="List resources",
)
async def get_resources(
    venue_id: VenueInPath, page: AskedPage, engine: EngineUsed, actor: Caller
) -> Response:
    """Returns the venue's resources, ordered by sort_order, then slug."""
    kept = await public_venue(engine, actor, venue_id)
    found = resources_after(kept, page.after(BY_ORDER))
    return page.answer(found, lambda each: resources_shown(kept, [each])[0], BY_ORDER, order_of)


@router.post(
    "/venues/{venue_id}/resources",
    operation_id="create_resource",
    response_model=ResourceShown,
    status_code=201,
    summary="Add a resource",
)
async def post_resource(
    venue_id: VenueInPath, body: ResourceDocument, engine: EngineUsed, actor: Caller
) -> Response:
    """Adds a resource to the venue. Managers only."""
    require(actor, "manager")
    kept = await changed_venue(engine, actor, venue_id, add_resource, body)
    return _resource(kept, kept.ids[body.slug], status=201)


@router.get(
    "/resources/{resource_id}",
    operation_id="get_resource",
    response_model=ResourceShown,
    summary="Read a resource",
)
async def get_resource(resource_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """Returns one resource. Public."""
    venue_id = await _venue_of(engine, resource_id)
    return _resource(await public_venue(engine, actor, venue_id), resource_id)


@router.patch(
    "/resources/{resource_id}",
    operation_id="update_resource",
    response_model=ResourceShown,
    summary="Change a resource",
)
async def patch_resource(
    resource_id: UUID, body: ResourceChange, engine: EngineUsed, actor: Caller, if_match: IfMatch
) -> Response:
    """Changes the given fields. Managers only. `adjacent` replaces all neighbours, named by slug or id. `units` can't
    be fewer than bookings and blocks use at the same time."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    venue_id = await _venue_of(engine, resource_id)
    kept = await changed_venue(
        engine, actor, venue_id, change_resource, resource_id, changes_of(body), expected_version=version
    )
    return _resource(kept, resource_id)


@router.delete(
    "/resources/{resource_id}", operation_id="delete_resource", status_code=204, summary="Remove a resource"
)
async def delete_resource(
    resource_id: UUID,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    expected_version: SeenVersion = None,
) -> Response:
    """Removes a resource. Managers only. Its history stays. Refused while bookings or blocks use it, now or later."""
    require(actor, "manager")
    version = required_version(expected_version, if_match)
    venue_id = await _venue_of(engine, resource_id)
    await changed_venue(engine, actor, venue_id, remove_resource, resource_id, expected_version=version)
    return Response(status_code=204)


async def _venue_of(engine: Engine, resource_id: UUID) -> UUID:
    # This only looks up the venue; the verb checks whether the caller may access it.
    found = await engine.read(SYSTEM, store.find_resource, resource_id)
    if found is None:
        raise NotFound(f"There is no resource {resource_id}.")
    return found[1]


def _resource(kept: Kept, resource_id: UUID, *, status: int = 200) -> Response:
    resource = own_resource(kept, resource_id)
    shown = resources_shown(kept, (resource,))[0]
    return answer(shown, status=status, version=shown["version"])
