"""The pages to read the OpenAPI document and to try the API. Nothing in them is loaded from other sites."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from holdfast.main.openapi.text import TITLE

ASSETS = "docs/assets"


def serve_docs(app: FastAPI) -> None:
    """Adds /docs and its assets, and redirects / to it."""
    page = get_swagger_ui_html(
        # Relative, so that it also works behind a proxy that serves it under a path.
        openapi_url="openapi.json",
        title=f"{TITLE} API",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
        swagger_ui_parameters={"filter": True, "persistAuthorization": False, "docExpansion": "none"},
    ).body

    async def get_docs() -> Response:
        return Response(bytes(page), media_type="text/html")

    async def get_root() -> Response:
        return RedirectResponse("docs")

    app.add_api_route("/docs", get_docs, include_in_schema=False)
    app.add_api_route("/", get_root, include_in_schema=False)
    # Only the files of that package are used.
    app.mount(f"/{ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs assets")
