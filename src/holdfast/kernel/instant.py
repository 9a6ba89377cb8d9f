"""Instants in requests: RFC 3339 with an offset from UTC.

Pydantic alone would also take digits as seconds since 1970, and other forms of ISO 8601 than this.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator

EXAMPLE = "2026-12-24T18:00:00+01:00"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def _rfc_3339(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be an instant in RFC 3339 such as '{EXAMPLE}'")
    if found[3] is None:
        raise ValueError(f"must have its offset from UTC, as in '{EXAMPLE}', or end in Z")
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("must be a date, a time and an offset that exist") from None


def whole_minute(value: datetime) -> datetime:
    """Returns the instant in UTC. Raises ValueError if it has seconds or fractions of them."""
    if value.second or value.microsecond:
        raise ValueError("must be a whole minute, with seconds of 00")
    return value.astimezone(UTC)


InstantText = Annotated[AwareDatetime, BeforeValidator(_rfc_3339, json_schema_input_type=AwareDatetime)]
"""An instant with the offset that it was written with."""
