"""The HTTP routes of tenants and venues, including venues as documents."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Request, Response

from holdfast.engine import Engine
from holdfast.identity.roles import require
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import takes
from holdfast.kernel.errors import InvalidRequest, NotFound, Unauthenticated
from holdfast.kernel.http import Caller, IfMatch, answer, required_version
from holdfast.kernel.paging import BY_ID, LIMIT_MAX, AskedPage
from holdfast.place import store
from holdfast.place.change_venue import change_venue
from holdfast.place.changes.amend import FORESEEN, WRITTEN
from holdfast.place.changes.shown import DryRun, VenueAnswer
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import VenueDocument, parse_document
from holdfast.place.document_text import YAML_TYPE, load_text, to_yaml
from holdfast.place.import_venue import Seen, import_venue
from holdfast.place.reach import own_tenant, own_venue
from holdfast.place.routes.amending import DryRunQuery, amended_venue, change_answer
from holdfast.place.routes.at_hand import TENANT_SLUG, EngineUsed, TenantQuery, VenueInPath, public_venue
from holdfast.place.shown import (
    TenantShown,
    TenantWanted,
    VenueChange,
    VenuePage,
    VenueShown,
    changes_of,
    venue_shown,
)

router = APIRouter()
ETAG = re.compile(r'(?:W/)?"?([0-9]{1,9})(?:\.([0-9]{1,18}))?"?', re.ASCII)
IfDocument = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description="The version that was seen: the ETag of the venue or, for all that is in it, of its document.",
    ),
]
YAML = {YAML_TYPE: {"schema": {"type": "string"}}}
BODY = takes(VenueDocument)
BODY["requestBody"]["content"] |= YAML


@router.post(
    "/tenants",
    operation_id="create_tenant",
    response_model=TenantShown,
    status_code=201,
    summary="Add a tenant",
)
async def post_tenant(body: TenantWanted, engine: EngineUsed, actor: Caller) -> Response:
    """Adds a tenant. Platform administrators only. The slug can't be changed later, because tokens contain it."""
    require(actor, "platform_admin")
    tenant = await engine.write(actor, create_tenant, body.slug, body.name)
    return answer(tenant, status=201, version=tenant.version)


@router.get("/tenants/{slug}", operation_id="get_tenant", response_model=TenantShown, summary="Read a tenant")
async def get_tenant(
    slug: Annotated[str, Path(pattern=TENANT_SLUG)], engine: EngineUsed, actor: Caller
) -> Response:
    """Returns a tenant. Only for callers with a token of this tenant, and for platform administrators."""
    if actor.kind == "anonymous":
        raise Unauthenticated
    tenant = await engine.read(actor, own_tenant, slug)
    return answer(tenant, version=tenant.version)


@router.post(
    "/venues/import",
    operation_id="import_venue",
    response_model=VenueAnswer | DryRun,
    summary="Create or replace a venue from a document",
    responses={201: {"model": VenueAnswer, "description": "The venue was created."}},
    openapi_extra=BODY,
)
async def post_document(
    request: Request,
    engine: EngineUsed,
    actor: Caller,
    tenant: TenantQuery = None,
    dry_run: DryRunQuery = False,
    if_match: IfDocument = None,
) -> Response:
    """Creates the venue with the document's slug, or changes it to match the document. Managers only. Resources are
    matched by slug and keep their ids; resources that are not in the document are removed. Refused while bookings or
    blocks use what would be removed. Holidays that were added by a call stay, unless the document names their date.
    Importing the same document again changes nothing."""
    require(actor, "manager")
    seen = None if if_match is None else _seen(if_match)
    document = parse_document(load_text(await _text(request)))
    run, amending = (engine.read, FORESEEN) if dry_run else (engine.write, WRITTEN)
    done = await run(actor, import_venue, document, tenant=tenant, seen=seen, amending=amending)
    status = 201 if done.is_new else 200
    return await change_answer(engine, done.amended, venue_shown, dry_run=dry_run, status=status)


def _seen(header: str) -> Seen:
    found = ETAG.fullmatch(header.strip())
    if found is None:
        raise InvalidRequest.of(
            "If-Match", header[:40], 'give the version as the ETag had it, such as "3" or "3.7"'
        )
    version, rules_version = found.groups()
    return Seen(int(version), None if rules_version is None else int(rules_version))


@router.get(
    "/venues/{venue_id}/document",
    operation_id="get_venue_document",
    response_model=VenueDocument,
    summary="Read a venue as a document",
    responses={200: {"content": YAML}},
)
async def get_document(
    venue_id: VenueInPath, request: Request, engine: EngineUsed, actor: Caller
) -> Response:
    """Returns the complete venue, for a backup or for import elsewhere. Managers only. With
    `Accept: application/yaml`, it is YAML. Its ETag changes with anything in it; with it in `If-Match`, an import
    replaces only what this document shows."""
    require(actor, "manager")
    kept = await engine.read(actor, own_venue, venue_id)
    data = kept.document.model_dump(mode="json")
    response = answer(data)
    response.headers["etag"] = f'"{kept.version}.{kept.rules_version}"'
    if "yaml" in request.headers.get("accept", ""):
        response = Response(to_yaml(data), media_type=YAML_TYPE, headers={"etag": response.headers["etag"]})
    response.headers["vary"] = "Accept"
    return response


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError:
        raise InvalidRequest.of("document", None, "must be text in UTF-8") from None


@router.get("/venues", operation_id="list_venues", response_model=VenuePage, summary="List venues")
async def get_venues(
    page: AskedPage, engine: EngineUsed, actor: Caller, tenant: TenantQuery = None
) -> Response:
    """Returns the venues of `tenant` or, by default, of the token's tenant. A token that is limited to certain venues
    lists only those. Without a token, `tenant` is required."""
    tenant_id = await _tenant_asked(actor, engine, tenant)
    found = await engine.read(
        actor,
        store.list_venues,
        tenant_id=tenant_id,
        venue_ids=actor.venue_ids,
        after=page.after(BY_ID),
        limit=page.read_max,
        tenants=None if tenant_id is None else [tenant_id],
    )
    return page.answer(found, dict, BY_ID, lambda venue: venue["id"])


@router.get("/venues/{venue_id}", operation_id="get_venue", response_model=VenueShown, summary="Read a venue")
async def get_venue(venue_id: VenueInPath, engine: EngineUsed, actor: Caller) -> Response:
    """Returns a venue with its rules and its first 500 resources. Public. `resources_next` is the cursor for the
    rest."""
    kept = await public_venue(engine, actor, venue_id)
    return answer(venue_shown(kept, viewer=actor, resources_max=LIMIT_MAX), version=kept.version)


@router.patch(
    "/venues/{venue_id}",
    operation_id="update_venue",
    response_model=VenueAnswer | DryRun,
    summary="Change a venue",
)
async def patch_venue(
    venue_id: VenueInPath,
    body: VenueChange,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    dry_run: DryRunQuery = False,
) -> Response:
    """Changes name, kind, time zone, currency and questions. Managers only. Bookings keep their instants."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    amended = await amended_venue(
        engine, actor, venue_id, change_venue, changes_of(body), expected_version=version, dry_run=dry_run
    )
    return await change_answer(engine, amended, venue_shown, dry_run=dry_run)


async def _tenant_asked(actor: Actor, engine: Engine, slug: str | None) -> UUID | None:
    """The tenant with that slug, even if it is not the caller's; by default the caller's. None: all tenants, for a
    platform administrator."""
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
