"""A waitlist entry as a value, its transitions, and its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import Demand
from holdfast.assigning.preferences import Preferences
from holdfast.booking.model import Guest
from holdfast.booking.said import Asker
from holdfast.booking.states import InvalidTransition, Status
from holdfast.channel.names import BOOKINGS
from holdfast.event.model import Event
from holdfast.kernel.ids import new_id

SOURCE = "waitlist"
"""The source of bookings that are offers."""
ENTRIES_MAX = 2_000
"""The most open entries at one venue."""


class EntryStatus(StrEnum):
    """The status of an entry. All but the first two are final."""

    WAITING = "WAITING"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    LAPSED = "LAPSED"
    LEFT = "LEFT"


_E = EntryStatus

TRANSITIONS: dict[EntryStatus, tuple[EntryStatus, ...]] = {
    _E.WAITING: (_E.OFFERED, _E.LAPSED, _E.LEFT),
    _E.OFFERED: (_E.ACCEPTED, _E.DECLINED, _E.LAPSED, _E.LEFT),
    _E.ACCEPTED: (),
    _E.DECLINED: (),
    _E.LAPSED: (),
    _E.LEFT: (),
}

EVENT_TYPES = {
    _E.WAITING: "waitlist.joined",
    _E.OFFERED: "waitlist.offered",
    _E.ACCEPTED: "waitlist.accepted",
    _E.DECLINED: "waitlist.declined",
    _E.LAPSED: "waitlist.lapsed",
    _E.LEFT: "waitlist.left",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One waiting party: the row of table `waitlist_entry`.

    `seq`: its place in the venue's queue, lowest first. `earliest_at`, `latest_at`: when the visit may start.
    `booking_id`: the booking that was offered to it, even after the offer has ended. `joined_ip`, `joined_groups`: the
    address and the groups of the guest who joined, as far as offers count for them; forgotten when it is closed.
    """

    tenant_id: UUID
    id: UUID
    venue_id: UUID
    seq: int = 0
    status: EntryStatus
    version: int
    party_size: int
    earliest_at: datetime
    latest_at: datetime
    duration_minutes: int
    resource_ids: tuple[UUID, ...]
    preferences: Preferences
    guest: Guest
    booking_id: UUID | None = None
    offer_expires_at: datetime | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime
    joined_ip: str | None = None
    joined_groups: tuple[str, ...] = ()

    @property
    def asker(self) -> Asker:
        """For whom a place is looked for."""
        return Asker(False, SOURCE, self.guest.id, frozenset(self.joined_groups), self.joined_ip)

    @property
    def length(self) -> timedelta:
        """How long the visit takes."""
        return timedelta(minutes=self.duration_minutes)

    @property
    def demand(self) -> Demand:
        return Demand(self.party_size, self.resource_ids, self.preferences)

    @property
    def offer_lapsed(self) -> bool:
        """Whether it had an offer that expired."""
        return self.status is EntryStatus.LAPSED and self.booking_id is not None


def moved(entry: Entry, to: EntryStatus, *, now: datetime, **changes: Any) -> Entry:
    """Returns the entry after one legal transition. Raises InvalidTransition with `from`, `to` and `allowed`."""
    allowed = TRANSITIONS[entry.status]
    if to not in allowed:
        then = f"from there it can become {', '.join(allowed)}" if allowed else "that status is final"
        raise InvalidTransition(
            f"An entry that is {entry.status} can't become {to}: {then}.",
            **{"from": entry.status, "to": to, "allowed": list(allowed)},
        )
    return replace(entry, status=to, version=entry.version + 1, updated_at=now, **changes)


def status_after_offer(status: Status, *, expires_at: datetime | None, now: datetime) -> EntryStatus | None:
    """Returns the entry status that follows from the status of the offered booking; None while the offer is open.

    An expired hold counts as lapsed even before the sweep gets to it.
    """
    match status:
        case Status.HELD:
            return EntryStatus.LAPSED if expires_at is not None and expires_at <= now else None
        case Status.EXPIRED:
            return EntryStatus.LAPSED
        case Status.CANCELLED:
            return EntryStatus.DECLINED
        case _:
            return EntryStatus.ACCEPTED


def preferences_json(preferences: Preferences) -> dict[str, Any]:
    """Returns preferences as they are stored and shown."""
    return {
        "kinds": preferences.kinds,
        "zones": preferences.zones,
        "attributes": dict(preferences.attributes),
        "group": preferences.group,
    }


def event(entry: Entry, *, actor: str, traceparent: str | None = None) -> Event:
    """Returns the event for the entry's current status: ids and facts, nothing personal."""
    return Event(
        id=new_id(),
        tenant_id=entry.tenant_id,
        event_type=EVENT_TYPES[entry.status],
        venue_id=entry.venue_id,
        subject_id=entry.id,
        payload={
            "entry_id": entry.id,
            "venue_id": entry.venue_id,
            "status": entry.status,
            "version": entry.version,
            "party_size": entry.party_size,
            "earliest": entry.earliest_at,
            "latest": entry.latest_at,
            "duration_minutes": entry.duration_minutes,
            "booking_id": entry.booking_id,
            "offer_expires_at": entry.offer_expires_at,
        },
        actor=actor,
        created_at=entry.updated_at,
        traceparent=traceparent,
        channel=BOOKINGS,
    )
