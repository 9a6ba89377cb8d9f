"""External services, as one value: `Tx.ports`."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.port.pricing import LocalPricing, Pricing


@dataclass(frozen=True, slots=True)
class Ports:
    """One adapter per port; the defaults need no external service."""

    pricing: Pricing = field(default_factory=LocalPricing)
