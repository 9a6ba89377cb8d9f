"""Responses about series, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from holdfast.booking.routes.shown import Conflict, SlotShown
from holdfast.booking.states import Status


class ProblemShown(BaseModel):
    """Why an occurrence is not available: the refusal that a single booking would get."""

    code: str
    detail: str


class OccurrenceShown(BaseModel):
    """One occurrence. If it is free, `resource_ids` is what it would get. If not, `conflicts` is what is in the way
    and `suggested_slots` is what is free instead. `booking_id`: the booking that stays as it is."""

    occurrence_on: date
    start: datetime
    end: datetime
    free: bool
    resource_ids: list[UUID]
    conflicts: list[Conflict]
    suggested_slots: list[SlotShown]
    problem: ProblemShown | None
    booking_id: UUID | None = None


class PreviewShown(BaseModel):
    """All occurrences in order. `free`: the number of those that are free."""

    occurrences: list[OccurrenceShown]
    free: int


class MemberShown(BaseModel):
    """A booking of a series, in brief. `occurrence_on`: the date it was made for, even if it was moved."""

    occurrence_on: date
    booking_id: UUID
    booking_reference: str
    start: datetime
    end: datetime
    status: Status
    version: int
    resource_ids: list[UUID]


class SeriesListed(BaseModel):
    """A series without its bookings. `local_start`: in the venue's wall time."""

    id: UUID
    venue_id: UUID
    version: int
    rrule: str
    local_start: str
    duration_minutes: int
    timezone: str
    guest_id: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class SeriesShown(SeriesListed):
    """A series with its bookings, by date."""

    bookings: list[MemberShown]


class AlternativeShown(BaseModel):
    """An occurrence that was booked at another time or on other resources than requested."""

    occurrence_on: date
    wanted_start: datetime
    start: datetime
    end: datetime
    resource_ids: list[UUID]


class SeriesCreated(SeriesShown):
    """A new series, and how it differs from what was requested."""

    skipped: list[OccurrenceShown]
    alternatives: list[AlternativeShown]


class SeriesChanged(SeriesShown):
    """A series after a change: the dates of changed bookings, and what was not changed and why."""

    changed: list[date]
    unchanged: list[OccurrenceShown]


class SeriesPage(BaseModel):
    """A page of series, oldest first."""

    items: list[SeriesListed]
    next: str | None


Response = dict[str, Any]
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Its version, for If-Match."}}
PREVIEW: Response = {"model": PreviewShown, "description": "What each occurrence would get."}
CREATED: Response = {"model": SeriesCreated, "description": "The series.", "headers": _ETAG}
SERIES: Response = {"model": SeriesShown, "description": "The series.", "headers": _ETAG}
CHANGED: Response = {"model": SeriesChanged, "description": "The series after the change.", "headers": _ETAG}
PAGE: Response = {"model": SeriesPage, "description": "A page of series."}
