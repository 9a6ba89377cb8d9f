"""The HTTP routes of a venue's hours, policy and slots, and of adding public holidays to its hours."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictBool, StrictInt, model_validator

from holdfast.identity.roles import require
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import Caller, IfMatch, answer, required_version
from holdfast.kernel.text import line
from holdfast.place.change_venue import WithHolidays, add_holidays, change_venue
from holdfast.place.kept import Kept
from holdfast.place.opening.holidays_of import Holiday, chosen, holidays_of
from holdfast.place.opening.hours import openings
from holdfast.place.opening.spans import CalendarDate, Hours, HoursSpan, Rule
from holdfast.place.policy import Policy
from holdfast.place.routes.at_hand import EngineUsed, VenueInPath, changed_venue, public_venue
from holdfast.place.shown import (
    DayPage,
    ExpectedVersion,
    HoursChange,
    PolicyChange,
    SlotPage,
    SlotsChange,
    changes_of,
)

router = APIRouter()

DAYS_MAX = 366
YEARS_MAX = 5
Year = Annotated[StrictInt, Field(ge=1970, le=2200)]
Day = Annotated[CalendarDate, Field(ge=date(1970, 1, 1), le=date(2200, 1, 1))]


@router.get(
    "/venues/{venue_id}/hours",
    operation_id="get_venue_hours",
    response_model=Hours,
    summary="Read the hours of a venue",
)
async def get_hours(venue_id: VenueInPath, engine: EngineUsed, actor: Caller) -> Response:
    """Returns the opening rules. Without weekly rules the venue is always open."""
    return _hours(await public_venue(engine, actor, venue_id))


@router.put(
    "/venues/{venue_id}/hours",
    operation_id="replace_venue_hours",
    response_model=Hours,
    summary="Replace the hours of a venue",
)
async def put_hours(
    venue_id: VenueInPath, body: HoursChange, engine: EngineUsed, actor: Caller, if_match: IfMatch
) -> Response:
    """Replaces the weekly rules and exceptions. Managers only. Existing bookings don't change."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    hours = Hours(**changes_of(body))
    kept = await changed_venue(
        engine, actor, venue_id, change_venue, {"hours": hours}, expected_version=version
    )
    return _hours(kept)


@router.get(
    "/venues/{venue_id}/hours/effective",
    operation_id="list_effective_hours",
    response_model=DayPage,
    summary="List the openings of a venue",
)
async def get_effective_hours(
    venue_id: VenueInPath,
    engine: EngineUsed,
    actor: Caller,
    first: Annotated[Day, Query(alias="from", description="The first day.")],
    last: Annotated[Day | None, Query(alias="to", description="The last day. Default: `from`.")] = None,
    resource_id: Annotated[
        UUID | None, Query(description="A resource, which may have its own hours.")
    ] = None,
) -> Response:
    """Returns the openings of each day from `from` to `to`, both included, at most 366 days. An opening that crosses
    midnight belongs to the day it starts on."""
    last = last or first
    if not 0 <= (last - first).days < DAYS_MAX:
        problem = f"must be `from` ({first}) or up to {DAYS_MAX - 1} days later"
        raise InvalidRequest.of("to", str(last), problem)
    kept = await public_venue(engine, actor, venue_id)
    hours = _hours_of(kept, resource_id)
    days = [_day(kept, hours, first + timedelta(days=each)) for each in range((last - first).days + 1)]
    return answer({"items": days, "next": None})


@router.get(
    "/venues/{venue_id}/policy",
    operation_id="get_venue_policy",
    response_model=Policy,
    summary="Read the policy of a venue",
)
async def get_policy(venue_id: VenueInPath, engine: EngineUsed, actor: Caller) -> Response:
    """Returns all rules for bookings, including defaults."""
    return _policy(await public_venue(engine, actor, venue_id))


@router.put(
    "/venues/{venue_id}/policy",
    operation_id="replace_venue_policy",
    response_model=Policy,
    summary="Replace the policy of a venue",
)
async def put_policy(
    venue_id: VenueInPath, body: PolicyChange, engine: EngineUsed, actor: Caller, if_match: IfMatch
) -> Response:
    """Replaces the whole policy. Managers only. Fields that are left out get their defaults."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    policy = Policy(**changes_of(body))
    kept = await changed_venue(
        engine, actor, venue_id, change_venue, {"policy": policy}, expected_version=version
    )
    return _policy(kept)


@router.get(
    "/venues/{venue_id}/slots",
    operation_id="list_venue_slots",
    response_model=SlotPage,
    summary="Read the slots of a venue",
)
async def get_slots(venue_id: VenueInPath, engine: EngineUsed, actor: Caller) -> Response:
    """Returns the venue's slots. If there are none, each opening day is one slot `day`."""
    return _slots(await public_venue(engine, actor, venue_id))


@router.put(
    "/venues/{venue_id}/slots",
    operation_id="replace_venue_slots",
    response_model=SlotPage,
    summary="Replace the slots of a venue",
)
async def put_slots(
    venue_id: VenueInPath, body: SlotsChange, engine: EngineUsed, actor: Caller, if_match: IfMatch
) -> Response:
    """Replaces all slots. Managers only."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    kept = await changed_venue(
        engine, actor, venue_id, change_venue, {"slots": body.items}, expected_version=version
    )
    return _slots(kept)


def _hours(kept: Kept) -> Response:
    return answer(kept.document.hours.model_dump(mode="json"), version=kept.version)


def _policy(kept: Kept) -> Response:
    return answer(kept.document.policy.model_dump(mode="json"), version=kept.version)


def _slots(kept: Kept) -> Response:
    items = [each.model_dump(mode="json") for each in kept.document.slots]
    return answer({"items": items, "next": None}, version=kept.version)


def _hours_of(kept: Kept, resource_id: UUID | None) -> Hours:
    if resource_id is None:
        return kept.document.hours
    if resource_id not in kept.by_id:
        raise InvalidRequest.of("resource_id", str(resource_id), "must be a resource of this venue")
    own = kept.by_id[resource_id].hours
    return kept.document.hours if own is None else own


def _day(kept: Kept, hours: Hours, day: date) -> dict[str, Any]:
    return {
        "date": day,
        "openings": [
            {
                "local_start": wall.start,
                "local_end": wall.end,
                "start": span.start,
                "end": span.end,
            }
            for wall, span in openings(hours, kept.document.tz, day)
        ],
    }


class HolidaysWanted(Rule):
    """The holidays to add, and the venue's hours on them."""

    country: str = Field(pattern="^[A-Z]{2}$", examples=["SE"])
    """ISO 3166 alpha-2 code."""
    subdivision: line(50) | None = Field(default=None, examples=["BY"])  # pyright: ignore[reportInvalidTypeForm]
    """A part of the country with its own holidays: its ISO 3166-2 code without the country."""
    years: tuple[Year, ...] = Field(min_length=1, max_length=YEARS_MAX, examples=[[2026, 2027]])
    """The years, from last year to ten years ahead."""
    closed: StrictBool | None = None
    """True: closed on these dates. This is the default if there are no `spans`."""
    spans: tuple[HoursSpan, ...] = Field(default=(), max_length=24)
    """The hours on these dates, if not closed."""
    names: tuple[line(200), ...] | None = Field(  # pyright: ignore[reportInvalidTypeForm]
        default=None, min_length=1, max_length=100
    )
    """Only the holidays with these names, in the requested language. Default: all."""
    language: line(20) | None = Field(default=None, min_length=2, examples=["en_US"])  # pyright: ignore[reportInvalidTypeForm]
    """The language of their names. Default: the country's own."""
    replace: StrictBool = False
    """Whether to replace exceptions that these dates already have. By default they stay."""
    expected_version: ExpectedVersion = None

    @model_validator(mode="after")
    def _closed_or_spans(self) -> HolidaysWanted:
        if self.closed is not None and self.closed == bool(self.spans):
            raise ValueError("give either closed: true or spans with at least one open and close")
        return self


class HolidayShown(Rule):
    """A holiday."""

    date: date
    name: str


class HoursWithHolidays(Hours):
    """The venue's new hours, and the outcome for each holiday."""

    added: tuple[HolidayShown, ...]
    replaced: tuple[HolidayShown, ...]
    """Holidays that replaced an exception of their date."""
    kept: tuple[HolidayShown, ...]
    """Holidays that were not added, because their date already had an exception."""


@router.post(
    "/venues/{venue_id}/hours/holidays",
    operation_id="add_venue_holidays",
    response_model=HoursWithHolidays,
    summary="Add the public holidays of a country to the hours of a venue",
)
async def post_holidays(
    venue_id: VenueInPath, body: HolidaysWanted, engine: EngineUsed, actor: Caller, if_match: IfMatch
) -> Response:
    """Adds an exception for each holiday. Managers only. Repeating it changes nothing."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    found = holidays_of(
        body.country, years=set(body.years), subdivision=body.subdivision, language=body.language
    )
    done: WithHolidays = await changed_venue(
        engine,
        actor,
        venue_id,
        add_holidays,
        found if body.names is None else chosen(found, body.names),
        years=body.years,
        spans=body.spans,
        replace=body.replace,
        expected_version=version,
    )
    return answer(_shown(done), version=done.venue.version)


def _shown(done: WithHolidays) -> dict[str, Any]:
    return {
        **done.venue.document.hours.model_dump(mode="json"),
        "added": _listed(done.added),
        "replaced": _listed(done.replaced),
        "kept": _listed(done.kept),
    }


def _listed(found: list[Holiday]) -> list[dict[str, Any]]:
    return [{"date": each.on, "name": each.name} for each in found]
