"""The fenced blocks of a guide, in order."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "not-run"
COMMAND = re.compile(
    r"(make|curl|jq|npm|npx|node|python3?|holdfast|export|apt|docker|kubectl|\.venv/\S+|[A-Z_]+=\S+) "
)
"""How a line of shell begins."""
ASSIGNED = re.compile(r"(?:^|[;\s])([A-Z][A-Z0-9_]*)=\$\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """`language` and `mark`: the words after the fence. `shown`: the output that the guide shows for it."""

    language: str
    mark: str
    text: str
    shown: str | None = None

    @property
    def title(self) -> str:
        return self.text.strip().splitlines()[0]


def blocks_of(guide: Path) -> list[Block]:
    text = guide.read_text("utf-8")
    found = list(FENCED.finditer(text))
    blocks = []
    for each, following in pairwise([*found, None]):
        assert each is not None
        language, _, mark = each[1].partition(" ")
        follows = following is not None and text[each.end() : following.start()].strip() == ""
        shown = following[2] if following and follows and following[1] in ("", "json", "text") else None
        blocks.append(Block(language, mark, each[2], shown))
    return blocks


def values(text: str) -> list[Any] | None:
    """The JSON values of an output, one after the other; None if it is no JSON."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return None
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def shape(value: Any) -> Any:
    """What an output has in common with that of another day: names, nulls, flags, states and how often."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Z_]{4,}|[a-z_]+", value) else "text"
    return value if value is None or isinstance(value, bool) else "number"
