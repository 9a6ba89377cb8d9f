"""The day view: every start that is free, with its price; or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import Demand, candidate_sets
from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.deciding.prepare import bounds, check_time
from holdfast.booking.finding.availability import free_starts, of_day
from holdfast.booking.finding.scan import Start
from holdfast.booking.finding.search import Found
from holdfast.booking.finding.suggest import slot_json
from holdfast.booking.making.usage_store import allowance
from holdfast.booking.rules.fair_use import Allowance, QuotaExceeded
from holdfast.booking.said import GUEST, Asker
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, InvalidRequest
from holdfast.kernel.money import format_money
from holdfast.kernel.span import merged
from holdfast.place.opening import hours
from holdfast.place.opening.clock import day_span
from holdfast.place.opening.opened import choices, hours_of
from holdfast.place.venue import Venue
from holdfast.port.pricing import Pricing

CLOSED, PAST, TOO_SOON, TOO_FAR_AHEAD, FULL = "CLOSED", "PAST", "TOO_SOON", "TOO_FAR_AHEAD", "FULL"
QUOTA_EXCEEDED = QuotaExceeded.code
REASONS = (CLOSED, PAST, TOO_SOON, TOO_FAR_AHEAD, "PARTY_TOO_LARGE", "PARTY_TOO_SMALL", QUOTA_EXCEEDED, FULL)


async def day_view(
    tx: Tx,
    venue: Venue,
    *,
    day: date,
    party_size: int,
    duration_minutes: int | None,
    preferences: Preferences = ANYTHING,
    asker: Asker = GUEST,
    but: UUID | None = None,
) -> dict[str, Any]:
    """Returns when the opening day is open, every start that the asker can book for the party, in order, and why if
    there is none, in the form of the API. `but`: a booking that does not count.

    Raises DurationNotAllowed, InvalidRequest for preferences that no resource has, Overloaded.
    """
    found = await free_starts(
        tx,
        venue,
        day=day,
        party_size=party_size,
        duration_minutes=duration_minutes,
        preferences=preferences,
        asker=asker,
        but=but,
    )
    shown, slices = list[dict[str, Any]](), Slices()
    for start, free in found:
        price = price_text(tx.ports.pricing, venue, free, party_size, slot_id=start.slot_id, now=tx.now)
        shown.append(slot_json(free, venue) | {"slot_id": start.slot_id, "price": price})
        await slices.rest()
    reason = None
    if not shown:
        demand, may = Demand(party_size, (), preferences), None
        if venue.policy.fair_use:
            may = await allowance(tx, venue, asker, day_span(day, venue.tz), but=but)
        reason = _reason(venue, demand, day, duration_minutes, asker=asker, now=tx.now, may=may)
    return {
        "date": day.isoformat(),
        "currency": venue.currency,
        "opening_hours": _opening_hours(venue, preferences, day),
        "starts": shown,
        "reason": reason,
    }


def price_text(
    pricing: Pricing,
    venue: Venue,
    found: Found,
    party_size: int,
    *,
    slot_id: str | None = None,
    now: datetime | None = None,
) -> str | None:
    """Returns the total price of the free span on its best set; None if it is out of range."""
    try:
        price = pricing.quote(
            venue=venue,
            resources=found.sets[0],
            span=found.span,
            party_size=party_size,
            slot_id=slot_id,
            now=now,
        )
    except InvalidRequest:
        return None
    return format_money(price.total_minor, price.currency)


def _opening_hours(venue: Venue, preferences: Preferences, day: date) -> list[dict[str, str]]:
    """Returns when the venue, or any of the resources asked about, is open on the opening day."""
    asked = [(each,) for each in venue.resources.values() if each.active and preferences.accepts(each)]
    spans = merged(each for own in _hours(venue, asked) for each in hours.open_spans(venue, own, day))
    return [
        {
            "open": each.start.astimezone(venue.tz).isoformat(),
            "close": each.end.astimezone(venue.tz).isoformat(),
        }
        for each in spans
    ]


def _hours(venue: Venue, sets: Sequence[Any]) -> Iterator[Any]:
    return iter(dict.fromkeys(own for each in choices(venue, sets) for own in hours_of(each)))


def _reason(
    venue: Venue,
    demand: Demand,
    day: date,
    duration_minutes: int | None,
    *,
    asker: Asker,
    now: datetime,
    may: Allowance | None = None,
) -> str:
    """Returns why nothing starts on that day: FULL if the rules would allow some start, QUOTA_EXCEEDED if they would if
    it were not for fair use."""
    try:
        sets = candidate_sets(venue, demand)
    except HoldfastError as error:
        return error.code if error.code in REASONS else CLOSED
    refused = set[str]()
    size = demand.party_size
    for start in of_day(
        venue, sets, day, party_size=size, duration_minutes=duration_minutes, asker=asker, now=now
    ):
        code = _refusal(venue, sets, start, asker=asker, now=now)
        if code is None and (may is None or may.allows(start.span)):
            return FULL
        refused.add(
            QUOTA_EXCEEDED if code is None else PAST if code == TOO_SOON and start.span.start < now else code
        )
    # Of a day that is partly over, the starts to come say more.
    return next((each for each in (QUOTA_EXCEEDED, TOO_SOON, TOO_FAR_AHEAD, PAST) if each in refused), CLOSED)


def _refusal(venue: Venue, sets: Sequence[Any], start: Start, *, asker: Asker, now: datetime) -> str | None:
    """Returns the code by which the rules refuse the start; None if they allow it."""
    allowed = bounds(venue, now)
    if venue.stay is None and not allowed.start <= start.span.start <= allowed.end:
        # The refusal itself would name the nearest start that is right, which is a search of its own.
        return TOO_SOON if start.span.start < allowed.start else TOO_FAR_AHEAD
    try:
        check_time(
            venue,
            (),
            start.span,
            now=now,
            among=choices(venue, sets),
            slot_id=start.slot_id,
            is_staff=asker.is_staff,
        )
    except HoldfastError as error:
        return error.code
    return None
