"""Every class of refusals that there is."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.kernel.config import Settings
from holdfast.kernel.errors import HoldfastError
from holdfast.main.http.app import create_app


def refusals() -> list[type[HoldfastError]]:
    """All of them, by name."""
    create_app(Settings())  # it loads every noun
    return sorted(set(_below(HoldfastError)), key=lambda each: each.__qualname__)


def _below(cls: type[HoldfastError]) -> Iterator[type[HoldfastError]]:
    for each in cls.__subclasses__():
        if each.__module__.startswith("holdfast."):
            yield each
        yield from _below(each)
