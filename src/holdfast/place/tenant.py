"""A tenant: the company or club that owns venues."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant at one version. Its slug never changes, because tokens contain it."""

    id: UUID
    slug: str
    name: str
    version: int
    created_at: datetime
