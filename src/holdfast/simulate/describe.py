"""Documents of venues in short."""

from __future__ import annotations

from typing import Any, Final

EVERY_DAY: Final = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def open_daily(opens: str, closes: str) -> dict[str, Any]:
    """Returns the same hours for every day."""
    return {"weekly": [{"days": EVERY_DAY, "open": opens, "close": closes}]}


def described(
    slug: str, kind: str, timezone: str, currency: str, *, policy: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Returns the document of a venue. `more`: its other fields."""
    return {
        "slug": slug,
        "name": slug.capitalize(),
        "kind": kind,
        "timezone": timezone,
        "currency": currency,
        "policy": {"max_advance_days": 60, **policy},
    } | more
