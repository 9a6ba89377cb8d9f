"""Parameter types of routes, and access to venues from routes."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import TypeAdapter, ValidationError, WithJsonSchema

from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest, NotFound
from holdfast.kernel.http import ChangeRequest, change_request
from holdfast.place.kept import Kept

TENANT_SLUG = r"^[a-z0-9][a-z0-9_-]{0,99}$"


async def _engine(request: Request) -> Engine:
    return request.app.state.engine


EngineUsed = Annotated[Engine, Depends(_engine)]
Asked = ChangeRequest[Engine]
AskedChange = Annotated[Asked, Depends(change_request)]
TenantQuery = Annotated[str | None, Query(pattern=TENANT_SLUG, description="The slug of a tenant.")]


_ID = TypeAdapter(UUID)
_SLUGS = re.compile(r"([a-z0-9][a-z0-9-]{0,62})\.([a-z0-9][a-z0-9_-]{0,62})")
_ID_OR_SLUGS = {
    "anyOf": [
        {"type": "string", "format": "uuid"},
        {"type": "string", "pattern": f"^{_SLUGS.pattern}$", "examples": ["nordlek.boulehallen"]},
    ]
}


async def _venue_in_path(
    venue_id: Annotated[
        str,
        WithJsonSchema(_ID_OR_SLUGS),
        Path(description="The id of a venue, or the slugs of its tenant and itself: `{tenant}.{venue}`."),
    ],
    engine: EngineUsed,
) -> UUID:
    """Returns the id of the venue, which may not exist if it was given by id. Raises NotFound, InvalidRequest."""
    if slugs := _SLUGS.fullmatch(venue_id):
        tenant_id = await engine.places.tenant_id(slugs[1])
        found = None if tenant_id is None else await engine.places.venue_id(tenant_id, slugs[2])
        if found is None:
            raise NotFound(f"There is no venue {venue_id}.")
        return found
    try:
        return _ID.validate_python(venue_id)
    except ValidationError:
        problem = (
            "must be the id of a venue, or the slugs of its tenant and itself, such as nordlek.boulehallen"
        )
        raise InvalidRequest.of("venue_id", venue_id[:40], problem) from None


VenueInPath = Annotated[UUID, Depends(_venue_in_path)]
"""The venue of a path, by id or by slugs."""


async def public_venue(engine: Engine, actor: Actor, venue_id: UUID) -> Kept:
    """Returns the venue, of any tenant: what it is and when it is open is public. Raises NotFound."""
    # A venue's tenant never changes, so a stale venue is good enough to tell it; the rest is read now.
    venue = await engine.places.known(venue_id)
    kept = await engine.look(actor, venue, engine.places.kept, venue)
    if kept is None:
        raise NotFound(f"There is no venue {venue_id}.")
    return kept
