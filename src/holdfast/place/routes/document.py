"""A whole venue as one document over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from holdfast.identity.roles import require
from holdfast.kernel.body import takes
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import Caller, answer
from holdfast.place.document import VenueDocument, parse_document
from holdfast.place.import_venue import import_venue
from holdfast.place.load_text import load_text
from holdfast.place.reach import own_venue
from holdfast.place.routes.at_hand import EngineUsed, TenantQuery
from holdfast.place.shown import VenueShown, venue_shown
from holdfast.place.write_text import YAML_TYPE, to_yaml

router = APIRouter()
YAML = {YAML_TYPE: {"schema": {"type": "string"}}}
BODY = takes(VenueDocument)
BODY["requestBody"]["content"] |= YAML


@router.post(
    "/venues/import",
    response_model=VenueShown,
    summary="Create or replace a venue from a document",
    responses={201: {"model": VenueShown, "description": "It is new."}},
    openapi_extra=BODY,
)
async def post_document(
    request: Request, engine: EngineUsed, actor: Caller, tenant: TenantQuery = None
) -> Response:
    """For managers. The venue of the document's slug becomes what the document says: resources are
    matched by slug and keep their ids, those it does not name are removed. Refused while bookings or
    blocks hold what would go. Importing the same document again changes nothing."""
    require(actor, "manager")
    document = parse_document(load_text(await _text(request)))
    kept, is_new = await engine.write(actor, import_venue, document, tenant=tenant)
    return answer(venue_shown(kept), status=201 if is_new else 200, version=kept.version)


@router.get(
    "/venues/{venue_id}/document",
    response_model=VenueDocument,
    summary="Read a venue as a document",
    responses={200: {"content": YAML}},
)
async def get_document(venue_id: UUID, request: Request, engine: EngineUsed, actor: Caller) -> Response:
    """For managers. All that the venue is, to be kept or imported elsewhere; in YAML for those who
    accept `application/yaml`."""
    require(actor, "manager")
    kept = await engine.read(actor, own_venue, venue_id)
    data = kept.document.model_dump(mode="json")
    response = answer(data, version=kept.version)
    if "yaml" in request.headers.get("accept", ""):
        response = Response(to_yaml(data), media_type=YAML_TYPE, headers={"etag": response.headers["etag"]})
    response.headers["vary"] = "Accept"
    return response


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError:
        raise InvalidRequest.of("document", None, "must be text in UTF-8") from None
