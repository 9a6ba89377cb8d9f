"""Why a booking does not fit a venue."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from holdfast.place.venue import Resource

GONE = "RESOURCE_NOT_AVAILABLE"
"""The venue does not know the resource, nor its kind."""
SLOT_CHANGED, TIMEZONE_CHANGED, STAY_CHANGED = "SLOT_CHANGED", "TIMEZONE_CHANGED", "STAY_CHANGED"
"""Reasons that no refusal has: the slot is gone or has another time, the wall time is another one, or guests of that
date come or go at other times."""


class Wrong(NamedTuple):
    """Why the venue would not take the booking now. `detail`: returns one sentence; making it takes long. `rule`: what
    tells it from others with the same reason."""

    reason: str
    detail: Callable[[], str]
    rule: str | None = None

    @property
    def key(self) -> str:
        """The same for two that are against the same rule."""
        return self.rule or self.reason


def not_available(resource: Resource) -> str:
    """Returns the code of refusals because the resource is taken or out of use."""
    return f"{resource.kind.upper()}_NOT_AVAILABLE"
