"""The day, month and range views. Public."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from holdfast.assigning.preferences import Preferences
from holdfast.booking.finding import availability
from holdfast.booking.finding.day import day_view
from holdfast.booking.finding.free_range import RANGE_DAYS_MAX, free_by_day
from holdfast.booking.model import Booking
from holdfast.booking.routes.callers import asker_of
from holdfast.booking.routes.changing import find_booking
from holdfast.booking.routes.fields import Source
from holdfast.booking.routes.parts import check_year
from holdfast.booking.routes.requests import MINUTES_MAX, NIGHTS_MAX, PARTY_MAX
from holdfast.booking.routes.shown import DAY, MONTH, RANGE
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import answer
from holdfast.kernel.text import line
from holdfast.place.opening.stay import minutes_of_nights
from holdfast.place.routes.at_hand import VenueInPath
from holdfast.place.venue import Venue

router = APIRouter()

PARTY_USUAL = 2
PartySize = Annotated[int, Query(ge=1, le=PARTY_MAX, description="Guests.")]
NightsAsked = Annotated[
    int | None,
    Query(
        ge=1,
        le=NIGHTS_MAX,
        description="Nights, at a venue that sells them. Default: as few as the date allows.",
    ),
]
Minutes = Annotated[
    int | None, Query(ge=1, le=MINUTES_MAX, description="Length in minutes. Default: the venue's.")
]
ExceptBooking = Annotated[
    UUID | None,
    Query(description="A booking that you may see and want to change: it is not in its own way."),
]
AskedSource = Annotated[
    str,
    Query(
        pattern=f"^({'|'.join(get_args(Source))})$",
        max_length=16,
        description="The source that the booking would have, for the rules that ask for it.",
    ),
]
Zones = Annotated[
    list[line(100)] | None,  # pyright: ignore[reportInvalidTypeForm]
    Query(max_length=100, description="Zones that suit. Default: any."),
]
Kinds = Annotated[
    list[line(50)] | None,  # pyright: ignore[reportInvalidTypeForm]
    Query(max_length=20, description="Kinds of resources that suit. Default: any."),
]
Group = Annotated[line(63) | None, Query(description="The type of resource, by its slug.")]
From = Annotated[date, Query(alias="from", description="The first day.")]
To = Annotated[date, Query(description=f"The last day, included; at most {RANGE_DAYS_MAX} days in all.")]
Month = Annotated[str, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="YYYY-MM")]


@router.get(
    "/venues/{venue_id}/availability/day",
    operation_id="get_availability_day",
    summary="List the free starts of a day",
    responses={200: DAY},
)
async def get_day(
    request: Request,
    venue_id: VenueInPath,
    date: date,
    party_size: PartySize = PARTY_USUAL,
    duration_minutes: Minutes = None,
    zones: Zones = None,
    kinds: Kinds = None,
    group: Group = None,
    except_booking: ExceptBooking = None,
    source: AskedSource = "api",
    nights: NightsAsked = None,
) -> Response:
    """Returns all starts of an opening day that are free for the party, each with its total price. If there are none,
    `reason` says why."""
    check_year("date", date)
    found = await _view(
        request,
        venue_id,
        _engine(request).look,
        day_view,
        source,
        day=date,
        party_size=party_size,
        duration_minutes=duration_minutes,
        preferences=_preferred(zones, kinds, group),
        except_booking=except_booking,
        nights=nights,
    )
    return answer(found)


@router.get(
    "/venues/{venue_id}/availability/month",
    operation_id="get_availability_month",
    summary="List the days of a month with free starts",
    responses={200: MONTH},
)
async def get_month(
    request: Request,
    venue_id: VenueInPath,
    month: Month,
    party_size: PartySize = PARTY_USUAL,
    duration_minutes: Minutes = None,
    zones: Zones = None,
    kinds: Kinds = None,
    group: Group = None,
    except_booking: ExceptBooking = None,
    source: AskedSource = "api",
    nights: NightsAsked = None,
) -> Response:
    """Returns the days of a month that have a free start for the party."""
    first = date(int(month[:4]) or 1, int(month[5:]), 1)
    check_year("month", first)
    found = await _view(
        request,
        venue_id,
        _engine(request).look_long,
        availability.days_with_room,
        source,
        days=[first + timedelta(days=n) for n in range(monthrange(first.year, first.month)[1])],
        party_size=party_size,
        duration_minutes=duration_minutes,
        preferences=_preferred(zones, kinds, group),
        except_booking=except_booking,
        nights=nights,
    )
    return answer({"month": month, "days": [day.isoformat() for day in found]})


def _preferred(zones: Sequence[str] | None, kinds: Sequence[str] | None, group: str | None) -> Preferences:
    return Preferences(tuple(kinds or ()), tuple(zones or ()), group=group)


@router.get(
    "/venues/{venue_id}/availability/range",
    operation_id="get_availability_range",
    summary="Count what is free on each of many days",
    responses={200: RANGE},
)
async def get_range(
    request: Request,
    venue_id: VenueInPath,
    from_: From,
    to: To,
    party_size: PartySize = PARTY_USUAL,
    group: Group = None,
    source: AskedSource = "api",
) -> Response:
    """Returns, for each day from one date to another, both included, and each type of resource, how many bookings are
    free for the party and the lowest price."""
    check_year("from", from_)
    check_year("to", to)
    count = (to - from_).days + 1
    if not 1 <= count <= RANGE_DAYS_MAX:
        allowed = f"{from_} to {from_ + timedelta(days=RANGE_DAYS_MAX - 1)}"
        raise InvalidRequest.of("to", str(to), f"must be {allowed}: at most {RANGE_DAYS_MAX} days in all")
    items = await _view(
        request,
        venue_id,
        _engine(request).look,
        free_by_day,
        source,
        days=[from_ + timedelta(days=n) for n in range(count)],
        party_size=party_size,
        group=group,
    )
    return answer(items)


async def _view(
    request: Request,
    venue_id: UUID,
    look: Callable[..., Awaitable[Any]],
    verb: Callable[..., Awaitable[Any]],
    source: str,
    *,
    except_booking: UUID | None = None,
    nights: int | None = None,
    **asked: Any,
) -> Any:
    """Runs the verb for the venue. `look`: the engine's method to run it with; `asked`: the verb's arguments."""
    venue = await fresh_venue(request, venue_id)
    changed = await but_booking(request, venue, except_booking)
    if nights is not None:
        asked["duration_minutes"] = _minutes_of(nights, venue, asked["duration_minutes"])
    asker = asker_of(request, venue, source, changed=changed)
    if changed is not None:
        asked["but"] = changed.id
    return await look(SYSTEM, venue, verb, venue, asker=asker, **asked)


def _minutes_of(nights: int, venue: Venue, duration_minutes: int | None) -> int:
    if venue.stay is None:
        raise InvalidRequest.of(
            "nights", nights, "is for venues that sell nights: here, give duration_minutes"
        )
    if duration_minutes is not None:
        raise InvalidRequest.of("nights", nights, "can't be given with duration_minutes: omit one of them")
    return minutes_of_nights(venue.stay, nights)


def _engine(request: Request) -> Engine:
    return request.app.state.engine


async def fresh_venue(request: Request, venue_id: UUID) -> Venue:
    """Returns the venue from the cache, refreshed if stale: the reads here don't compare its rules version."""
    venue = await _engine(request).places.bookable(request.state.actor, venue_id)
    return await _engine(request).places.venue(venue.id)


async def but_booking(request: Request, venue: Venue, booking_id: UUID | None) -> Booking | None:
    """Returns the booking that does not count. Raises NotFound, InvalidRequest."""
    if booking_id is None:
        return None
    booking, at = await find_booking(_engine(request), request.state.actor, booking_id)
    if at.id != venue.id:
        problem = f"is a booking at {at.name}: give one at {venue.name}, or omit it"
        raise InvalidRequest.of("except_booking", str(booking.id), problem)
    return booking
