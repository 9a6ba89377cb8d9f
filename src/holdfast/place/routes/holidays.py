"""The HTTP route that adds public holidays to the hours of a venue."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool, StrictInt, model_validator

from holdfast.identity.roles import require
from holdfast.kernel.http import Caller, IfMatch, required_version
from holdfast.kernel.text import line
from holdfast.place.change_venue import WithHolidays, add_holidays
from holdfast.place.changes.shown import DryRun, HoursAnswer
from holdfast.place.kept import Kept
from holdfast.place.opening.holidays_of import Holiday, chosen, holidays_of
from holdfast.place.opening.spans import HoursSpan, Rule
from holdfast.place.routes.amending import DryRunQuery, amended_venue, change_answer
from holdfast.place.routes.at_hand import EngineUsed, VenueInPath
from holdfast.place.routes.rules import hours_shown
from holdfast.place.shown import ExpectedVersion

router = APIRouter()
YEARS_MAX = 5
Year = Annotated[StrictInt, Field(ge=1970, le=2200)]


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


class HoursWithHolidays(HoursAnswer):
    """The venue's new hours, and the outcome for each holiday."""

    added: tuple[HolidayShown, ...]
    replaced: tuple[HolidayShown, ...]
    """Holidays that replaced an exception of their date."""
    kept: tuple[HolidayShown, ...]
    """Holidays that were not added, because their date already had an exception."""


@router.post(
    "/venues/{venue_id}/hours/holidays",
    operation_id="add_venue_holidays",
    response_model=HoursWithHolidays | DryRun,
    summary="Add the public holidays of a country to the hours of a venue",
)
async def post_holidays(
    venue_id: VenueInPath,
    body: HolidaysWanted,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    dry_run: DryRunQuery = False,
) -> Response:
    """Adds an exception for each holiday. Managers only. Repeating it changes nothing."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    found = holidays_of(
        body.country, years=set(body.years), subdivision=body.subdivision, language=body.language
    )
    done: WithHolidays = await amended_venue(
        engine,
        actor,
        venue_id,
        add_holidays,
        found if body.names is None else chosen(found, body.names),
        years=body.years,
        spans=body.spans,
        replace=body.replace,
        expected_version=version,
        dry_run=dry_run,
    )
    return await change_answer(engine, done.amended, lambda kept: _with_holidays(kept, done), dry_run=dry_run)


def _with_holidays(kept: Kept, done: WithHolidays) -> dict[str, Any]:
    return {
        **hours_shown(kept),
        "added": _listed(done.added),
        "replaced": _listed(done.replaced),
        "kept": _listed(done.kept),
    }


def _listed(found: list[Holiday]) -> list[dict[str, Any]]:
    return [{"date": each.on, "name": each.name} for each in found]
