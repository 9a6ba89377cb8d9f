"""Public holidays into the hours of a venue, over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool, StrictInt, model_validator

from holdfast.identity.roles import require
from holdfast.kernel.http import Caller, Db, IfMatch, answer, required_version
from holdfast.place.asked import ExpectedVersion
from holdfast.place.change_venue import WithHolidays, add_holidays
from holdfast.place.holidays_of import Holiday, chosen, holidays_of
from holdfast.place.opening import Hours, HoursSpan, Rule
from holdfast.place.routes.at_hand import PlacesKept, changed_venue

router = APIRouter()

YEARS_MAX = 5
Year = Annotated[StrictInt, Field(ge=1970, le=2200)]


class HolidaysWanted(Rule):
    """Which holidays, and what the venue does on them."""

    country: str = Field(pattern="^[A-Z]{2}$", examples=["SE"])
    """ISO 3166 alpha-2 code."""
    subdivision: str | None = Field(default=None, min_length=1, max_length=50, examples=["BY"])
    """Part of the country with holidays of its own: its ISO 3166-2 code, without the country."""
    years: tuple[Year, ...] = Field(min_length=1, max_length=YEARS_MAX, examples=[[2026, 2027]])
    """From last year to ten years ahead."""
    closed: StrictBool | None = None
    """True, or neither this nor `spans`: nothing opens on these dates."""
    spans: tuple[HoursSpan, ...] = Field(default=(), max_length=24)
    """The hours of these dates, instead."""
    names: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] | None = Field(
        default=None, min_length=1, max_length=100
    )
    """Only the holidays of these names, in the language asked for; left out: all."""
    language: str | None = Field(default=None, min_length=2, max_length=20, examples=["en_US"])
    """The language of their names; left out: the country's own."""
    replace: StrictBool = False
    """Whether an exception that a date has already gives way; else it is kept."""
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
    """The hours of the venue as they are now, and what became of each holiday."""

    added: tuple[HolidayShown, ...]
    replaced: tuple[HolidayShown, ...]
    """Their dates had another exception."""
    kept: tuple[HolidayShown, ...]
    """Their dates have the exception that they had."""


@router.post(
    "/venues/{venue_id}/hours/holidays",
    response_model=HoursWithHolidays,
    summary="Add the public holidays of a country to the hours of a venue",
)
async def post_holidays(
    venue_id: UUID, body: HolidaysWanted, db: Db, actor: Caller, places: PlacesKept, if_match: IfMatch
) -> Response:
    """For managers: one date exception for each holiday. Doing it again changes nothing."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    found = holidays_of(
        body.country, years=set(body.years), subdivision=body.subdivision, language=body.language
    )
    done: WithHolidays = await changed_venue(
        db,
        places,
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
