"""Events and dead letters over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from holdfast.dispatch.routes import dead_letters, feed

router = APIRouter(tags=["Events"])
router.include_router(feed.router)
router.include_router(dead_letters.router)
