"""Refusals that come with free times to take instead."""

from __future__ import annotations

from typing import Any, ClassVar

from holdfast.booking.wanted import Prepared
from holdfast.kernel.errors import HoldfastError


class Suggestible(HoldfastError):
    """Another time or place may do.

    `wanted`: what to suggest alternatives to; None: nothing is suggested.
    """

    may_pass: ClassVar[bool] = True
    wanted: Prepared | None = None

    @property
    def is_about_time(self) -> bool:
        """Whether another time may do; otherwise nothing is suggested."""
        return True

    def suggesting(self, slots: list[dict[str, Any]] | None) -> Suggestible:
        """Adds what is free instead, to the fields and the sentence. None: there was no time to search."""
        self.fields["suggested_slots"] = slots or []
        if slots:
            self.detail += " Take one of the suggested slots."
        return self
