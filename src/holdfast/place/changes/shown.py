"""What a change to a venue did, or would do, in responses."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field, JsonValue

from holdfast.place.opening.spans import Hours, Rule
from holdfast.place.policy import Policy
from holdfast.place.shown import ResourceShown, SlotPage, VenueShown


class ChangeShown(Rule):
    """One value that changes. A value that is not there is null."""

    path: str = Field(examples=["resources.t1.seats_max", "hours.exceptions.2026-12-24"])
    """Where it is in the venue's document, with dots: resources and neighbours by slug, slots by id, exceptions by
    date, other entries of lists by number from 0."""
    before: JsonValue
    after: JsonValue


class UnfitShown(Rule):
    """A booking that the venue would not take any more. It stays as it is."""

    id: UUID
    booking_reference: str
    start: datetime
    """With the offset of the time zone it was made in."""
    end: datetime
    resource_ids: tuple[UUID, ...]
    party_size: int
    reason: str = Field(examples=["OUTSIDE_OPENING_HOURS", "PARTY_TOO_LARGE", "TABLE_NOT_AVAILABLE"])
    """The code that the same request would be refused with, or SLOT_CHANGED, STAY_CHANGED or TIMEZONE_CHANGED."""
    detail: str
    """The reason as a sentence."""


class Consequences(Rule):
    """What a change does."""

    changes: tuple[ChangeShown, ...]
    """The values that change, at most 100."""
    changes_total: int
    """The number of values that change."""
    bookings_that_no_longer_fit: tuple[UnfitShown, ...]
    """The bookings to come that the venue took before and would not take now, in order of their start, at most 100.
    They stay as they are."""
    bookings_that_no_longer_fit_total: int | None
    """The number of these bookings; null: there was no time to look at all of them."""
    notes: tuple[str, ...]
    """What else to know, in sentences."""


class ErrorShown(Rule):
    """One error to correct."""

    field: str
    value: JsonValue
    problem: str


class DryRun(Consequences):
    """What a change would do. Nothing was changed."""

    problems: tuple[ErrorShown, ...]
    """Why the change would be refused now, because of bookings and blocks. Empty: it would not be."""


class VenueAnswer(VenueShown, Consequences):
    """The venue after the change, and what it did."""


class HoursAnswer(Hours, Consequences):
    """The hours after the change, and what it did."""


class PolicyAnswer(Policy, Consequences):
    """The policy after the change, and what it did."""


class SlotsAnswer(SlotPage, Consequences):
    """The slots after the change, and what it did."""


class ResourceAnswer(ResourceShown, Consequences):
    """The resource after the change, and what it did."""
