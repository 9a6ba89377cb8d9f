"""Series over HTTP: preview, create, read, change, cancel."""

from fastapi import APIRouter

from holdfast.series.routes import changing, creating, reading

router = APIRouter(tags=["Series"])
for part in (creating, reading, changing):
    router.include_router(part.router)

__all__ = ["router"]
