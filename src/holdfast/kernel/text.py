"""Text fields that clients send: a single line, several lines, an e-mail address.

Some code points don't belong in text: they control terminals, break lines, make `gnp.exe` look like `exe.png`
(Unicode Technical Report 36, 3.1), or can't be encoded at all. No name needs them, so they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

# C1 and DEL; bidirectional embeddings, overrides and isolates; surrogates; noncharacters of the first plane.
_NEVER = r"\u007f-\u009f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_NONCHARACTERS = "".join(map(chr, (plane << 16 | low for plane in range(1, 17) for low in (0xFFFE, 0xFFFF))))
_IN_A_LINE = re.compile(rf"[\0-\x1f\u2028\u2029{_NEVER}{_NONCHARACTERS}]")
_IN_LINES = re.compile(rf"[\0-\x08\x0b\x0c\x0e-\x1f{_NEVER}{_NONCHARACTERS}]")
# For the OpenAPI document: in its patterns an emoji counts as two surrogates.
_SHOWN = _NEVER.replace(r"\ud800-\udfff", "")
LINE_PATTERN = rf"^[^\u0000-\u001f\u2028\u2029{_SHOWN}]*$"
LINES_PATTERN = rf"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f{_SHOWN}]*$"

NATURAL_CACHED_MAX = 65_536
DIGITS = re.compile(r"([0-9]+)")

EMAIL_CHARS_MAX = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""
LOCAL_BYTES_MAX = 64
"""RFC 5321, 4.5.3.1.1: the part before the @."""
_LOCAL = re.compile(r"[^\s.@,:;<>()\[\]\\\"]+(\.[^\s.@,:;<>()\[\]\\\"]+)*")
# Most addresses. It accepts nothing that the full check refuses, and takes a third of the time.
_USUAL = re.compile(
    rf"(?=[^@]{{1,{LOCAL_BYTES_MAX}}}@)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_LABEL = re.compile(r"(?!-)[^\s\0-,./:-@\[-`{-\x7f]{1,63}(?<!-)")

STORED = "stored"
"""Validation context for models read from the database: values accepted under older rules must stay readable."""


def one_line(value: str) -> str:
    """Returns the text. Raises ValueError if it has control characters or line breaks."""
    return value if value.isprintable() else _without(_IN_A_LINE, value)


def some_lines(value: str) -> str:
    """Returns the text. Raises ValueError if it has control characters other than tabs and line breaks."""
    # Thirty times faster than the pattern.
    is_plain = value.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    return value if is_plain else _without(_IN_LINES, value)


def _without(unwanted: re.Pattern[str], value: str) -> str:
    found = unwanted.search(value)
    if found is None:
        return value
    raise ValueError(f"must be plain text, without the character U+{ord(found[0]):04X} at {found.start()}")


def email_address(value: str) -> str:
    """Returns the address. Raises ValueError unless it looks like `name@example.org`; any script is allowed (RFC 6531).

    Stricter than RFC 5321, which allows quoted local parts (4.1.2) and address literals (4.1.3): in a booking form
    those are typing mistakes. Only sending mail can show whether an address works.
    """
    if _USUAL.fullmatch(value):
        return value
    local, at, domain = one_line(value).rpartition("@")
    labels = domain.split(".")
    if (
        not at
        or len(labels) < 2
        or labels[-1].isdecimal()
        or len(local.encode()) > LOCAL_BYTES_MAX
        or not _LOCAL.fullmatch(local)
        or not all(map(_LABEL.fullmatch, labels))
    ):
        raise ValueError("must be an e-mail address such as name@example.org")
    return value


def unless_stored(check: Callable[[str], str]) -> AfterValidator:
    """Skips the check for models read from the database: venues stored before the check existed must stay readable."""

    def checked(value: str, info: ValidationInfo) -> str:
        return value if info.context == STORED else check(value)

    return AfterValidator(checked)


def line(limit: int) -> Any:
    """Returns the type of a single line of 1 to `limit` characters, such as a name."""
    return Annotated[str, _described(limit, LINE_PATTERN), AfterValidator(one_line)]


def lines(limit: int) -> Any:
    """Returns the type of a text of 1 to `limit` characters that may have several lines, such as a note."""
    return Annotated[str, _described(limit, LINES_PATTERN), AfterValidator(some_lines)]


def stored_line(limit: int) -> Any:
    """Like `line`, for models that are also read from the database."""
    return Annotated[str, _described(limit, LINE_PATTERN), unless_stored(one_line)]


def _described(limit: int, pattern: str) -> Any:
    return Field(min_length=1, max_length=limit, json_schema_extra={"pattern": pattern})


def free_form(bytes_max: int) -> dict[str, Any]:
    """Returns JSON Schema keywords for an object with arbitrary fields and at most `bytes_max` bytes of JSON."""
    shortest = len('"":0,')
    return {
        "maxProperties": bytes_max // shortest,
        "propertyNames": {"maxLength": bytes_max},
        "x-bytes-max": bytes_max,
    }


Email = Annotated[
    str,
    Field(min_length=3, max_length=EMAIL_CHARS_MAX, json_schema_extra={"format": "idn-email"}),
    AfterValidator(email_address),
]


@lru_cache(NATURAL_CACHED_MAX)
def natural(text: str) -> tuple[str | int, ...]:
    """Returns a sort key by which numbers in texts count as numbers: `lane-2` comes before `lane-10`."""
    parts = DIGITS.split(text)
    # Texts and numbers take turns, so that like is compared with like. The text itself tells 01 from 1.
    return (*(int(part) if place % 2 else part for place, part in enumerate(parts)), text)
