"""What the outside decides, as one value: `Tx.ports`."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.port.pricing import LocalPricing, Pricing


@dataclass(frozen=True, slots=True)
class Ports:
    """An adapter for each port; without more, those that need no outside."""

    pricing: Pricing = field(default_factory=LocalPricing)
