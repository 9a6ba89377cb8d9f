"""Which resources suit a party that names none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.place.venue import Resource


@dataclass(frozen=True, slots=True)
class Preferences:
    """Which resources fit when the request names none. Empty means any. `group`: the type that was booked, of which one
    resource is taken. `as_json`: the preferences that were expressed, as JSON; {} for any resource."""

    kinds: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()
    group: str | None = None
    as_json: Mapping[str, Any] = field(init=False, compare=False, repr=False)

    def accepts(self, resource: Resource) -> bool:
        return (
            (self.group is None or resource.group == self.group)
            and (not self.kinds or resource.kind in self.kinds)
            and (not self.zones or resource.zone in self.zones)
            and all(resource.attributes.get(key) == value for key, value in self.attributes)
        )

    def __post_init__(self) -> None:
        found = {
            "kinds": self.kinds,
            "zones": self.zones,
            "attributes": dict(self.attributes),
            "group": self.group,
        }
        object.__setattr__(self, "as_json", {name: value for name, value in found.items() if value})

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> Preferences:
        """Returns the preferences of `as_json`."""
        return Preferences(
            tuple(stored.get("kinds", ())),
            tuple(stored.get("zones", ())),
            tuple(sorted(stored.get("attributes", {}).items())),
            stored.get("group"),
        )


ANYTHING = Preferences()
