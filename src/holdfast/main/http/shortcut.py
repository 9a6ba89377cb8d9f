"""A fast path for the busiest routes.

FastAPI matches a path against every route before it, twice, and then resolves dependencies; that takes longer than
booking a table. A handler whose only parameter is the request, at a path without parameters, needs neither: the
middleware looks it up by method and path before it calls the framework. The framework still gets requests with a query
string, which it refuses. The route stays registered, for them, for the OpenAPI document and for responses to other
methods. bench/http_floor.py measures the gain.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from holdfast.kernel.http import only_known_parameters

Handler = Callable[[Request], Awaitable[Response]]


def shortcuts(app: FastAPI) -> dict[tuple[str, str], Handler]:
    """Returns the handlers that qualify, from all routers included so far."""
    return {
        (method, str(route.path_format)): cast(Handler, route.endpoint)
        for route in iter_route_contexts(app.routes)
        if _qualifies(route)
        for method in route.methods or ()
    }


def _qualifies(route: RouteContext) -> bool:
    if not isinstance(route.original_route, APIRoute) or "{" in str(route.path_format):
        return False
    # Other dependencies of the router or the application would be skipped.
    dependant: Any = route.dependant
    others = [each for each in dependant.dependencies if each.call is not only_known_parameters]
    if others or not inspect.iscoroutinefunction(route.endpoint):
        return False
    signature = inspect.signature(route.endpoint, eval_str=True)
    taken, returned = [each.annotation for each in signature.parameters.values()], signature.return_annotation
    return taken == [Request] and isinstance(returned, type) and issubclass(returned, Response)
