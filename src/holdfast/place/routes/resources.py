"""The HTTP routes of resources."""

from __future__ import annotations

from typing import Any
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
from holdfast.place.changes.shown import DryRun, ResourceAnswer
from holdfast.place.document import ResourceDocument
from holdfast.place.kept import Kept
from holdfast.place.routes.amending import DryRunQuery, amended_venue, change_answer, dry_run_answer
from holdfast.place.routes.at_hand import EngineUsed, VenueInPath, public_venue
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
DRY_RUN: dict[str, Any] = {"model": DryRun, "description": "With `dry_run`: what it would do."}


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
    response_model=ResourceAnswer,
    status_code=201,
    summary="Add a resource",
    responses={200: DRY_RUN},
)
async def post_resource(
    venue_id: VenueInPath,
    body: ResourceDocument,
    engine: EngineUsed,
    actor: Caller,
    dry_run: DryRunQuery = False,
) -> Response:
    """Adds a resource to the venue. Managers only."""
    require(actor, "manager")
    amended = await amended_venue(engine, actor, venue_id, add_resource, body, dry_run=dry_run)
    return await change_answer(
        engine, amended, lambda kept: _resource(kept, kept.ids[body.slug]), status=201, dry_run=dry_run
    )


@router.get(
    "/resources/{resource_id}",
    operation_id="get_resource",
    response_model=ResourceShown,
    summary="Read a resource",
)
async def get_resource(resource_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """Returns one resource. Public."""
    venue_id = await _venue_of(engine, resource_id)
    shown = _resource(await public_venue(engine, actor, venue_id), resource_id)
    return answer(shown, version=shown["version"])


@router.patch(
    "/resources/{resource_id}",
    operation_id="update_resource",
    response_model=ResourceAnswer | DryRun,
    summary="Change a resource",
)
async def patch_resource(
    resource_id: UUID,
    body: ResourceChange,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    dry_run: DryRunQuery = False,
) -> Response:
    """Changes the given fields. Managers only. `adjacent` replaces all neighbours, named by slug or id. `units` can't
    be fewer than bookings and blocks use at the same time."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    venue_id = await _venue_of(engine, resource_id)
    amended = await amended_venue(
        engine,
        actor,
        venue_id,
        change_resource,
        resource_id,
        changes_of(body),
        expected_version=version,
        dry_run=dry_run,
    )
    return await change_answer(engine, amended, lambda kept: _resource(kept, resource_id), dry_run=dry_run)


@router.delete(
    "/resources/{resource_id}",
    operation_id="delete_resource",
    status_code=204,
    summary="Remove a resource",
    responses={200: DRY_RUN},
)
async def delete_resource(
    resource_id: UUID,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    expected_version: SeenVersion = None,
    dry_run: DryRunQuery = False,
) -> Response:
    """Removes a resource. Managers only. Its history stays. Refused while bookings or blocks use it, now or later."""
    require(actor, "manager")
    version = required_version(expected_version, if_match)
    venue_id = await _venue_of(engine, resource_id)
    amended = await amended_venue(
        engine, actor, venue_id, remove_resource, resource_id, expected_version=version, dry_run=dry_run
    )
    return await dry_run_answer(engine, amended) if dry_run else Response(status_code=204)


async def _venue_of(engine: Engine, resource_id: UUID) -> UUID:
    # This only looks up the venue; the verb checks whether the caller may access it.
    found = await engine.read(SYSTEM, store.find_resource, resource_id)
    if found is None:
        raise NotFound(f"There is no resource {resource_id}.")
    return found[1]


def _resource(kept: Kept, resource_id: UUID) -> dict[str, Any]:
    return resources_shown(kept, (own_resource(kept, resource_id),))[0]
