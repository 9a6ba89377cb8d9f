"""Builds the HTTP application: `create_app`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp

from holdfast.event.number import Numberer
from holdfast.identity.issuer import trusted_issuers
from holdfast.identity.token import TokenVerifier, TrustedIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database, lanes
from holdfast.kernel.http import only_known_parameters
from holdfast.live.auditor import Auditor
from holdfast.live.hub import Hub
from holdfast.live.routes import origins
from holdfast.main.asyncapi import document as asyncapi
from holdfast.main.http import operations
from holdfast.main.http.handshake import MiddlewareWithSockets
from holdfast.main.http.middleware import Tally, bearer
from holdfast.main.http.refusals import answer_refusals, parameters_of
from holdfast.main.http.shortcut import shortcuts
from holdfast.main.openapi.document import document
from holdfast.main.openapi.pages import serve_docs
from holdfast.main.openapi.text import TITLE
from holdfast.main.reactions import engine_over
from holdfast.snapshot.cache import SharedCache
from holdfast.snapshot.freshness import Freshness
from holdfast.snapshot.names import SlotCache
from holdfast.snapshot.snapshots import Snapshots

API = "/api/v1"


class Application(FastAPI):
    """FastAPI, wrapped in the middleware, which calls the busiest routes without it."""

    def build_middleware_stack(self) -> ASGIApp:
        return MiddlewareWithSockets(
            super().build_middleware_stack(),
            shortcuts=shortcuts(self),
            templates=_templates(self),
            request_deadline_s=self.state.request_deadline_s,
        )

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = document(self)
        return self.openapi_schema


def create_app(
    settings: Settings,
    *,
    routers: Sequence[APIRouter] | None = None,
    issuers: Sequence[TrustedIssuer] | None = None,
) -> Application:
    """Returns the ASGI application; it connects to the database when it starts.

    `routers`: mounted under /api/v1 instead of the product's own. `issuers`: trusted token issuers, instead of those
    in the settings. While it runs, its `state` has the `engine`.
    """
    app = Application(
        title=TITLE,
        version=version("holdfast"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # The framework's own logs would quote exception texts, which can contain personal data.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=_lifespan(settings, issuers),
    )
    app.state.tally = Tally()
    app.state.request_deadline_s = settings.request_deadline_s
    checked = [Depends(only_known_parameters)]
    for router in _routers() if routers is None else routers:
        app.include_router(router, prefix=API, dependencies=checked)
    for router in _aliases():
        app.include_router(router, dependencies=checked)
    app.state.parameters = parameters_of(app)
    app.include_router(operations.router)
    app.include_router(asyncapi.router)
    serve_docs(app)
    answer_refusals(app)
    return app


def _routers() -> list[APIRouter]:
    from holdfast.block import routes as block
    from holdfast.booking import routes as booking
    from holdfast.feed.routes import router as feed
    from holdfast.job.routes import router as dead_letters
    from holdfast.live import routes as live
    from holdfast.place import routes as place
    from holdfast.series.routes import router as series
    from holdfast.snapshot import routes as snapshot_routes
    from holdfast.waitlist.routes import router as waitlist

    return [
        booking.router, place.router, series, waitlist, block.router, snapshot_routes.router, live.router,
        feed, dead_letters,
    ]  # fmt: skip


def _aliases() -> list[APIRouter]:
    """The same endpoints at the paths that clients of other products expect, without a prefix."""
    from holdfast.block.routes import alias as blocks
    from holdfast.snapshot.routes import alias as snapshots

    return [blocks, snapshots]


def _lifespan(settings: Settings, issuers: Sequence[TrustedIssuer] | None) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            app.state.verifier = TokenVerifier(issuers or trusted_issuers(settings))
            await _start(app.state, settings, running)
            yield

    return lifespan


async def _start(state: Any, settings: Settings, running: AsyncExitStack) -> None:
    """Fills the application's state; `running` cleans up in reverse order."""
    url = settings.database_url
    if url is None:
        raise ValueError("create_app needs settings with a database_url")
    db = await Database.connect(
        url,
        pool_max=settings.pool_max,
        lanes=lanes(settings.pool_max),
        deadline_s=settings.request_deadline_s,
    )
    running.push_async_callback(db.close)
    state.probe = operations.Probe(url)
    running.callback(state.probe.close)
    engine = state.engine = engine_over(db)
    running.push_async_callback(engine.stop)
    state.numberer = Numberer(db, lane="changes")
    state.identify = partial(bearer, verifier=state.verifier, places=engine.places)
    state.allowed_origins = origins(settings.allowed_origins)
    state.hub = Hub(db, engine.places, enabled=settings.live, streams_max=settings.live_streams_max)
    operations.watch(state)
    await start_snapshots(state, settings, running)
    state.hub.start()
    running.push_async_callback(state.hub.stop)


def _templates(app: FastAPI) -> dict[Any, str]:
    """Returns the path template of each route (`/api/v1/bookings/{booking_id}`), by the `endpoint` in a matched scope.

    An endpoint that also has an alias gets its own path, which is registered first.
    """
    found: dict[Any, str] = {}
    for route in iter_route_contexts(app.routes):
        found.setdefault(route.endpoint or getattr(route.original_route, "app", None), str(route.path_format))
    return found


async def start_snapshots(state: Any, settings: Settings, running: AsyncExitStack) -> None:
    """Fills `state.snapshots`, `state.slot_cache`, `state.auditor` and `state.newest_version`.

    Needs `state.hub`, before it starts.
    """
    fresh = Freshness(state.hub.tail)
    state.hub.listeners.append(fresh.on_events)
    state.hub.lost.append(fresh.floors.invalidate_all)
    state.engine.db.after_commit.append(fresh.on_commit)
    state.slot_cache = SlotCache(fresh)
    snapshots = state.snapshots = Snapshots(
        state.engine.db,
        state.engine.places,
        state.engine.ports.pricing,
        fresh,
        at_once_max=max(1, settings.pool_max // 3),
        shared=_shared_cache(settings.redis_url),
    )
    running.push_async_callback(snapshots.close)
    state.newest_version = snapshots.newest_version
    state.auditor = Auditor(state.engine.db, state.engine.places, snapshots)
    state.auditor.start()
    running.push_async_callback(state.auditor.stop)


def _shared_cache(url: str | None) -> SharedCache | None:
    if url is None:
        return None
    from holdfast.snapshot.redis_cache import RedisCache

    return RedisCache(url)
