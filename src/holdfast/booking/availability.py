"""Is there room, and when: the availability check, the day view and the month view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from holdfast.booking import rules, search
from holdfast.booking.choose import Demand, candidate_sets, seats_wasted
from holdfast.booking.conflicts import conflicts_of
from holdfast.booking.prepared import Prepared
from holdfast.booking.search import Found, Outlook
from holdfast.booking.suggest import suggest
from holdfast.booking.wanted import check_length
from holdfast.kernel.db import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place import hours, slot
from holdfast.place.venue import Resource, Venue
from holdfast.port.pricing import Pricing

OPTIONS_MAX = 20
DAYS_MAX = 31
Sets = Sequence[tuple[Resource, ...]]


async def check(tx: Tx, wanted: Prepared, *, pricing: Pricing) -> dict[str, Any]:
    """Whether the span is free for the party, on which resources, at what price; else why not and what is.

    Nothing is kept for anybody. Raises what the venue's rules refuse, as creating would.
    """
    venue, span, party_size = wanted.venue, wanted.span, wanted.wanted.party_size
    named = wanted.sets[0] if wanted.wanted.resource_ids else ()
    rules.check_time(venue, named, span, now=tx.now, slot_id=wanted.slot_id)
    outlook = await search.look(tx, venue, wanted.sets, span)
    covers = outlook.covers.get(rules.pacing_window(span.start), 0)
    rules.check_pacing(venue, span, party_size=party_size, covers=covers)
    found = outlook.free(wanted.sets, span, party_size=party_size, slot_id=wanted.slot_id)
    price = pricing.quote(
        venue=venue,
        resources=list(found.sets[0] if found else wanted.sets[0]),
        span=span,
        party_size=party_size,
    )
    return {
        "available": found is not None,
        "options": _options(venue, found, party_size),
        "price": price.as_json(),
        "conflicts": [] if found else conflicts_of(wanted, outlook.occupancy),
        "suggested_slots": [] if found else await suggest(tx, wanted),
        "can_join_waitlist": found is None and venue.policy.waitlist_enabled,
    }


def _options(venue: Venue, found: Found | None, party_size: int) -> list[dict[str, Any]]:
    return [
        {
            "resource_ids": [str(resource.id) for resource in resources],
            "seats_wasted": seats_wasted(venue, resources, party_size),
        }
        for resources in (found.sets[:OPTIONS_MAX] if found else ())
    ]


@dataclass(frozen=True, slots=True)
class Start:
    """A time at which a booking could start; `slot_id` where the venue sells named slots."""

    found: Found
    slot_id: str | None


async def day_view(
    tx: Tx, venue: Venue, *, day: date, party_size: int, duration_minutes: int | None
) -> list[Start]:
    """Every start of the opening day that is free for the party, in order."""
    sets = _sets(venue, party_size)
    if not sets:
        return []
    asked = _asked(venue, day, party_size=party_size, duration_minutes=duration_minutes)
    if not asked:
        return []
    outlook = await search.look(tx, venue, sets, _around([span for span, _ in asked]))
    return _free(outlook, sets, asked, party_size)


async def month_view(
    tx: Tx, venue: Venue, *, first: date, days: int, party_size: int, duration_minutes: int | None
) -> list[date]:
    """The days, of `days` (at most DAYS_MAX) from the first, on which there is any free start."""
    sets = _sets(venue, party_size)
    by_day = {
        day: _asked(venue, day, party_size=party_size, duration_minutes=duration_minutes)
        for day in (first + timedelta(days=n) for n in range(min(days, DAYS_MAX)))
    }
    spans = [span for asked in by_day.values() for span, _ in asked]
    if not sets or not spans:
        return []
    outlook = await search.look(tx, venue, sets, _around(spans))
    return [day for day, asked in by_day.items() if _any_free(outlook, sets, asked, party_size)]


def _sets(venue: Venue, party_size: int) -> Sets:
    try:
        return candidate_sets(venue, Demand(party_size))
    except HoldfastError:
        return ()


def _asked(
    venue: Venue, day: date, *, party_size: int, duration_minutes: int | None
) -> list[tuple[Span, str | None]]:
    """The spans a party could ask for on that opening day, by start: every start on the step and, unless
    a length is asked for, the venue's slots."""
    slots = [(each.span, each.id) for each in slot.slots_on(venue, day)] if venue.slots else []
    minutes = duration_minutes or venue.policy.duration_minutes(party_size)
    length = timedelta(minutes=minutes)
    check_length(length, venue)
    starts = hours.starts_of_day(venue, None, day, duration_minutes=minutes)
    spans: list[tuple[Span, str | None]] = [(Span(start, start + length), None) for start in starts]
    if duration_minutes is None:
        spans += slots
    return sorted(spans, key=lambda each: (each[0], each[1] or ""))


def _around(spans: Sequence[Span]) -> Span:
    return Span(min(span.start for span in spans), max(span.end for span in spans))


def _free(
    outlook: Outlook, sets: Sets, asked: Sequence[tuple[Span, str | None]], party_size: int
) -> list[Start]:
    found = (
        (outlook.free(sets, span, party_size=party_size, slot_id=slot_id), slot_id) for span, slot_id in asked
    )
    return [Start(free, slot_id) for free, slot_id in found if free is not None]


def _any_free(
    outlook: Outlook, sets: Sets, asked: Sequence[tuple[Span, str | None]], party_size: int
) -> bool:
    return any(
        outlook.free(sets, span, party_size=party_size, slot_id=slot_id) is not None
        for span, slot_id in asked
    )
