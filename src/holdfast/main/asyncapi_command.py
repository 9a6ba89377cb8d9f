"""`holdfast asyncapi`."""

from __future__ import annotations

import orjson

from holdfast.main.asyncapi import asyncapi


def asyncapi_document() -> str:
    """The AsyncAPI document of the live channels as JSON, indented; nothing is connected to."""
    return orjson.dumps(asyncapi(), option=orjson.OPT_INDENT_2).decode()
