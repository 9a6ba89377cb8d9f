"""The HTTP routes of tenants, venues, their rules and resources."""

from fastapi import APIRouter

from holdfast.place.routes import holidays, resources, rules, venues

router = APIRouter(tags=["Venues"])
for part in (venues, rules, holidays, resources):
    router.include_router(part.router)

__all__ = ["router"]
