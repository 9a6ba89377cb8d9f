"""Tenants over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from holdfast.identity.roles import require
from holdfast.kernel.errors import Unauthenticated
from holdfast.kernel.http import Caller, answer
from holdfast.place.asked import TenantWanted
from holdfast.place.create_tenant import create_tenant
from holdfast.place.reach import own_tenant
from holdfast.place.routes.at_hand import TENANT_SLUG, EngineUsed
from holdfast.place.shown import TenantShown, tenant_shown

router = APIRouter()


@router.post("/tenants", response_model=TenantShown, status_code=201, summary="Add a tenant")
async def post_tenant(body: TenantWanted, engine: EngineUsed, actor: Caller) -> Response:
    """For platform administrators. The slug can't be changed later, since tokens name it."""
    require(actor, "platform_admin")
    tenant = await engine.write(actor, create_tenant, body.slug, body.name)
    return answer(tenant_shown(tenant), status=201, version=tenant.version)


@router.get("/tenants/{slug}", response_model=TenantShown, summary="Read a tenant")
async def get_tenant(
    slug: Annotated[str, Path(pattern=TENANT_SLUG)], engine: EngineUsed, actor: Caller
) -> Response:
    """For those whose token is of this tenant, and for platform administrators."""
    if actor.kind == "anonymous":
        raise Unauthenticated
    tenant = await engine.read(actor, own_tenant, slug)
    return answer(tenant_shown(tenant), version=tenant.version)
