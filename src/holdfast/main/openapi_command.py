"""`holdfast openapi`."""

from __future__ import annotations

import orjson

from holdfast.kernel.config import Settings


def openapi_document(settings: Settings) -> str:
    """The OpenAPI document of the API as JSON, indented; nothing is connected to."""
    from holdfast.main.http import create_app

    return orjson.dumps(create_app(settings).openapi(), option=orjson.OPT_INDENT_2).decode()
