"""What a reaction is; `main/reactions.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from holdfast.kernel.events import Event
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.port.pricing import Pricing


@dataclass(frozen=True, slots=True)
class Tools:
    """What verbs of reactions may need beside the transaction."""

    places: Places
    pricing: Pricing


@dataclass(frozen=True, slots=True)
class Reaction:
    """Something that is done because of an event.

    `name`: as in jobs, dead letters, logs and metrics; once it has run somewhere it stays, since jobs and
    marks of delivery carry it. `event_types`: in full. `verb(tx, event, tools)` sees the event's tenant
    alone, as the system, and holds the lock of the event's venue if there is one. It commits with its mark
    of delivery, hence happens once; it may be run when much has changed since the event, and out of order.
    """

    name: str
    event_types: tuple[str, ...]
    verb: Callable[[Tx, Event, Tools], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one reaction."""

    tenant_id: UUID
    event_id: UUID
    venue_id: UUID | None
    reaction: str
