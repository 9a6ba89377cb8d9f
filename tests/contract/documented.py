"""What is sent, against the schemas of the AsyncAPI document."""

from __future__ import annotations

from typing import Any

import jsonschema

from holdfast.main.asyncapi.document import SOCKET_PREFIX

from .listening import Heard

Json = dict[str, Any]


class Schemas:
    """The document's schemas, closed: a field that they don't have is refused too."""

    def __init__(self, document: Json) -> None:
        self._components = {"schemas": closed(document["components"]["schemas"])}
        self._messages = document["components"]["messages"]
        self.seen: set[str] = set()

    def check(self, schema: Json, value: Any) -> None:
        whole = {**closed(schema), "components": self._components}
        jsonschema.Draft7Validator(whole, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER).validate(
            value
        )

    def check_message(self, name: str, payload: Any, *, headers: Json | None = None) -> None:
        """Against the message of that name, which must be in the document; it has been seen then."""
        assert name in self._messages, f"{name} is sent and not in the document"
        message = self._messages[name]
        self.check(message["payload"], payload)
        if headers is not None:
            self.check(message["headers"], headers)
        self.seen.add(name)

    def check_heard(self, heard: Heard) -> None:
        """All that a reader got."""
        for frame in heard.frames:
            if heard.socket is not None:
                self.check_message(socket_name(frame), frame)
            elif "data" in frame:
                headers = {name: value for name, value in frame.items() if name != "data"}
                self.check_message(frame["event"], frame["data"], headers=headers)


def socket_name(frame: Json) -> str:
    name = frame["type"] if frame["op"] == "event" else frame["op"]
    return SOCKET_PREFIX + name if frame["op"] in ("event", "reset") else name


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(each) for name, each in schema.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made
