"""A series as a value, its JSON, and its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.booking import states
from holdfast.booking.model import Booking, Guest
from holdfast.channel.names import BOOKINGS
from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.series.shown import SeriesListed


class OnConflict(StrEnum):
    """What happens to a series if an occurrence is not available."""

    REFUSE = "refuse"
    SKIP = "skip"
    ALTERNATIVES = "alternatives"


class Scope(StrEnum):
    """Which bookings of a series to change."""

    ONE = "one"
    THIS_AND_FOLLOWING = "this_and_following"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A repeating booking of one party at one venue: the row of table `series`.

    `rrule`, `local_start`, `duration_minutes`: as requested, in wall time of `timezone`. The bookings have the
    current values. `version` goes up by one with each change of the series.
    """

    tenant_id: UUID
    id: UUID
    venue_id: UUID
    version: int
    rrule: str
    local_start: datetime
    duration_minutes: int
    timezone: str
    guest_id: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def guest(self) -> Guest:
        """The guest, by id alone: names and addresses are in the bookings."""
        return Guest(id=self.guest_id)


COLUMNS = tuple(each.name for each in fields(Series))


@dataclass(frozen=True, slots=True)
class Member:
    """A booking of a series. `on`: the date of its occurrence, which never changes."""

    on: date
    booking: Booking

    def is_open(self, now: datetime) -> bool:
        """Whether it is still to come and can still be changed."""
        booking = self.booking
        expired = booking.expires_at is not None and booking.expires_at <= now
        return booking.status not in states.TERMINAL and not expired and booking.start_at > now


@dataclass(frozen=True, slots=True)
class SeriesDone:
    """A series after a change. `bookings`: those that were created or changed. `more`: extra fields of its JSON."""

    series: Series
    members: Sequence[Member]
    bookings: Sequence[Booking]
    more: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return as_json(self.series, self.members, **self.more)


def as_json(series: Series, members: Iterable[Member], **more: Any) -> dict[str, Any]:
    """Returns the series with its bookings as the API shows it, for `kernel.encode`. `more`: what a change did."""
    return {**listed_json(series), "bookings": [_member_json(each) for each in members], **more}


def listed_json(series: Series) -> dict[str, Any]:
    """Returns the series without its bookings, as the API shows it."""
    shown = {name: getattr(series, name) for name in SeriesListed.model_fields}
    return {**shown, "local_start": series.local_start.isoformat(timespec="minutes")}


def _member_json(member: Member) -> dict[str, Any]:
    booking, zone = member.booking, ZoneInfo(member.booking.timezone)
    return {
        "occurrence_on": member.on,
        "booking_id": booking.id,
        "booking_reference": booking.reference,
        "start": booking.start_at.astimezone(zone),
        "end": booking.end_at.astimezone(zone),
        "status": booking.status,
        "version": booking.version,
        "resource_ids": booking.resource_ids,
    }


def event(tx: Tx, series: Series, what: str, bookings: Iterable[Booking]) -> Event:
    """Returns the event `series.<what>` about these bookings. The caller holds the venue's lock."""
    return Event(
        id=new_id(),
        tenant_id=series.tenant_id,
        event_type=f"series.{what}",
        venue_id=series.venue_id,
        subject_id=series.id,
        payload={
            "series_id": series.id,
            "venue_id": series.venue_id,
            "version": series.version,
            "booking_ids": [each.id for each in bookings],
        },
        actor=str(tx.actor),
        created_at=tx.now,
        traceparent=tx.traceparent,
        channel=BOOKINGS,
    )
