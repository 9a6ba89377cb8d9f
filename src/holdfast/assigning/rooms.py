"""Which of many sets of resources have room, where each resource is in many of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from holdfast.claim.model import Occupancy, units_needed
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource


@dataclass(slots=True)
class Rooms:
    """The room for one span. Looks at each resource once, however many sets it is in. Claims of owner `but` don't
    count."""

    occupancy: Occupancy
    span: Span
    but: UUID | None = None
    _known: dict[tuple[int, int], bool] = field(default_factory=dict[tuple[int, int], bool])

    def has(self, resources: Sequence[Resource], party_size: int) -> bool:
        """Returns whether all that the set claims has room for the party at every instant of the span."""
        for each in resources:
            for leaf in each.claimed:
                units = units_needed(each, leaf, party_size)
                key = id(leaf), units  # a leaf of a whole has other buffers than the leaf by itself
                found = self._known.get(key)
                if found is None:
                    found = self.occupancy.has_room(leaf, self.span, units=units, but=self.but)
                    self._known[key] = found
                if not found:
                    return False
        return True
