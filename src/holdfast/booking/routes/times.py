"""The time of a booking in requests, in all its forms."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, Field, model_validator

from holdfast.booking.deciding.wanted import When
from holdfast.kernel.body import Body
from holdfast.kernel.http import InstantText, whole_minute
from holdfast.kernel.text import line
from holdfast.place.opening.spans import WallTime

D = TypeVar("D", bound=date)
YEAR_MIN, YEAR_MAX = 2000, 2200
MINUTES_MAX = 366 * 24 * 60
NIGHTS_MAX = 366


def _in_years(value: D) -> D:
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValueError(f"must be in the years {YEAR_MIN} to {YEAR_MAX}")
    return value


Instant = Annotated[InstantText, AfterValidator(lambda at: whole_minute(_in_years(at)))]
"""An instant in UTC, on a whole minute."""
Day = Annotated[date, AfterValidator(_in_years)]


class TimeBody(Body):
    """The time: `start`, or `booking_date` with `booking_time`, or `date` with `slot_id`; and `end`, `duration_minutes`
    or neither. At venues that sell nights: `arrival`, and `nights` or `departure`."""

    changes_a_booking: ClassVar[bool] = False
    """Whether there is a booking already, which keeps its date or its time of day if only the other is given."""

    start: Instant | None = None
    """The start, RFC 3339 with an offset."""
    booking_date: Day | None = None
    """The local date of the start at the venue."""
    booking_time: WallTime | None = None
    """The local time of the start at the venue, HH:MM."""
    date: Day | None = None
    """The opening day of the slot."""
    slot_id: line(63) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """The id of a slot of the venue."""
    end: Instant | None = None
    """The end, RFC 3339 with an offset."""
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    """The length in minutes. Alternative to `end`."""
    arrival: Day | None = None
    """The date of arrival, at a venue that sells nights."""
    departure: Day | None = None
    """The date of departure, at a venue that sells nights."""
    nights: int | None = Field(default=None, ge=1, le=NIGHTS_MAX)
    """The number of nights, at a venue that sells them. Alternative to `departure`."""

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> TimeBody:
        if not self.changes_a_booking and (self.booking_date is None) != (self.booking_time is None):
            raise ValueError("give booking_date and booking_time together")
        if (self.date is None) != (self.slot_id is None):
            raise ValueError("give date and slot_id together")
        ways = (self.start, self.booking_date or self.booking_time, self.date, self.arrival)
        if sum(way is not None for way in ways) > 1:
            raise ValueError(
                "give only one of start, booking_date with booking_time, date with slot_id, and arrival"
            )
        if self.end is not None and self.duration_minutes is not None:
            raise ValueError("give end or duration_minutes, not both")
        if self.date is not None and (self.end is not None or self.duration_minutes is not None):
            raise ValueError("a slot has its own length: omit end and duration_minutes")
        if self.nights is not None and self.departure is not None:
            raise ValueError("give nights or departure, not both")
        stays = self.nights is not None or self.departure is not None
        if stays and (self.end is not None or self.duration_minutes is not None or self.date is not None):
            raise ValueError("nights and departure say the length: omit end, duration_minutes and slot_id")
        if self.arrival is not None and (self.end is not None or self.duration_minutes is not None):
            raise ValueError("give nights or departure with arrival, not end or duration_minutes")
        return self

    @property
    def names_a_start(self) -> bool:
        ways = (self.start, self.booking_date, self.booking_time, self.date, self.arrival)
        return any(way is not None for way in ways)

    @property
    def names_a_length(self) -> bool:
        lengths = (self.end, self.duration_minutes, self.nights, self.departure)
        return any(length is not None for length in lengths)

    def check_start(self) -> None:
        """Raises ValueError if the body does not say when a booking starts."""
        if not self.names_a_start:
            raise ValueError(
                "give a start: start, or booking_date with booking_time, or date with slot_id, or arrival"
            )
        if self.arrival is not None and not self.names_a_length:
            raise ValueError("give nights or departure with arrival")

    def when(self) -> When:
        """Returns the requested time."""
        day, at, wall = self.booking_date, None, None
        if self.booking_time is not None:
            at = time.fromisoformat(self.booking_time)
        if day is not None and at is not None:
            day, at, wall = None, None, datetime.combine(day, at)
        return When(
            start=self.start,
            wall=wall,
            wall_date=day,
            wall_time=at,
            day=self.date,
            slot_id=self.slot_id,
            end=self.end,
            duration_minutes=self.duration_minutes,
            arrival=self.arrival,
            departure=self.departure,
            nights=self.nights,
        )
