"""The HTTP routes of a venue's hours, policy and slots, and of adding public holidays to its hours."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictInt

from holdfast.engine import Engine
from holdfast.identity.roles import require
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import Caller, IfMatch, answer, required_version
from holdfast.place.change_venue import change_venue
from holdfast.place.changes.amend import Amended
from holdfast.place.changes.shown import DryRun, HoursAnswer, PolicyAnswer, SlotsAnswer
from holdfast.place.kept import Kept
from holdfast.place.opening.hours import openings
from holdfast.place.opening.spans import CalendarDate, Hours
from holdfast.place.policy import Policy
from holdfast.place.routes.amending import DryRunQuery, amended_venue, change_answer
from holdfast.place.routes.at_hand import EngineUsed, VenueInPath, public_venue
from holdfast.place.shown import (
    DayPage,
    HoursChange,
    PolicyChange,
    SlotPage,
    SlotsChange,
    changes_of,
    policy_shown,
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
    kept = await public_venue(engine, actor, venue_id)
    return answer(hours_shown(kept), version=kept.version)


@router.put(
    "/venues/{venue_id}/hours",
    operation_id="replace_venue_hours",
    response_model=HoursAnswer | DryRun,
    summary="Replace the hours of a venue",
)
async def put_hours(
    venue_id: VenueInPath,
    body: HoursChange,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    dry_run: DryRunQuery = False,
) -> Response:
    """Replaces the weekly rules and exceptions, holidays too. Managers only. Existing bookings don't change."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    hours = Hours(**changes_of(body))
    amended = await _change(engine, actor, venue_id, {"hours": hours}, version, dry_run=dry_run)
    return await change_answer(engine, amended, hours_shown, dry_run=dry_run)


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
    """Returns all rules for bookings, including defaults. Only staff of the venue see its discount codes."""
    kept = await public_venue(engine, actor, venue_id)
    return answer(policy_shown(kept, actor), version=kept.version)


@router.put(
    "/venues/{venue_id}/policy",
    operation_id="replace_venue_policy",
    response_model=PolicyAnswer | DryRun,
    summary="Replace the policy of a venue",
)
async def put_policy(
    venue_id: VenueInPath,
    body: PolicyChange,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    dry_run: DryRunQuery = False,
) -> Response:
    """Replaces the whole policy. Managers only. Fields that are left out get their defaults."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    policy = Policy(**changes_of(body))
    amended = await _change(engine, actor, venue_id, {"policy": policy}, version, dry_run=dry_run)
    return await change_answer(engine, amended, _policy, dry_run=dry_run)


@router.get(
    "/venues/{venue_id}/slots",
    operation_id="list_venue_slots",
    response_model=SlotPage,
    summary="Read the slots of a venue",
)
async def get_slots(venue_id: VenueInPath, engine: EngineUsed, actor: Caller) -> Response:
    """Returns the venue's slots. If there are none, each opening day is one slot `day`."""
    kept = await public_venue(engine, actor, venue_id)
    return answer(_slots(kept), version=kept.version)


@router.put(
    "/venues/{venue_id}/slots",
    operation_id="replace_venue_slots",
    response_model=SlotsAnswer | DryRun,
    summary="Replace the slots of a venue",
)
async def put_slots(
    venue_id: VenueInPath,
    body: SlotsChange,
    engine: EngineUsed,
    actor: Caller,
    if_match: IfMatch,
    dry_run: DryRunQuery = False,
) -> Response:
    """Replaces all slots. Managers only."""
    require(actor, "manager")
    version = required_version(body.expected_version, if_match)
    amended = await _change(engine, actor, venue_id, {"slots": body.items}, version, dry_run=dry_run)
    return await change_answer(engine, amended, _slots, dry_run=dry_run)


async def _change(
    engine: Engine,
    actor: Actor,
    venue_id: VenueInPath,
    changes: dict[str, Any],
    version: int,
    *,
    dry_run: bool,
) -> Amended:
    return await amended_venue(
        engine, actor, venue_id, change_venue, changes, expected_version=version, dry_run=dry_run
    )


def hours_shown(kept: Kept) -> dict[str, Any]:
    """A venue's hours, as they are shown."""
    return kept.document.hours.model_dump(mode="json")


def _policy(kept: Kept) -> dict[str, Any]:
    return policy_shown(kept)


def _slots(kept: Kept) -> dict[str, Any]:
    items = [each.model_dump(mode="json") for each in kept.document.slots]
    return {"items": items, "next": None}


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
