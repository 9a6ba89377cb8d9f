"""What makes a document one of AsyncAPI 3."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

Json = dict[str, Any]
SCHEMA = Path(sys.prefix) / "npm/node_modules/@asyncapi/specs/schemas/3.0.0.json"


def asyncapi_3() -> jsonschema.Draft7Validator:
    """The official schema of version 3.0, which `make test` installs."""
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))


def faults(document: Json, standard: jsonschema.Draft7Validator) -> Iterator[str]:
    """What is wrong with the document: what a schema can't say, and by the standard's schema."""
    yield from dangling(document)
    yield from (error.message for error in standard.iter_errors(document))


def dangling(document: Json) -> Iterator[str]:
    """References to nothing, messages of operations that their channel lacks, parameters not in the address."""
    for found in references(document):
        if at(document, found) is None:
            yield f"{found} is not there"
    for name, operation in document["operations"].items():
        for part in (operation, operation.get("reply", operation)):
            channel = part["channel"]["$ref"] + "/messages/"
            yield from (
                f"{name}: {message['$ref']} is of another channel"
                for message in part["messages"]
                if not message["$ref"].startswith(channel)
            )
    for name, channel in document["channels"].items():
        if set(re.findall(r"{(\w+)}", channel.get("address") or "")) != set(channel.get("parameters", ())):
            yield f"{name}: parameters are not those of the address"


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def at(document: Any, reference: str) -> Any:
    for name in filter(None, reference.removeprefix("#").split("/")):
        document = document.get(name) if isinstance(document, dict) else None
    return document
