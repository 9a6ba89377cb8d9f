"""Is there room, and when: the availability check, the day view and the month view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from holdfast.booking.deciding import rules
from holdfast.booking.deciding.choose import Demand, candidate_sets
from holdfast.booking.deciding.conflicts import conflicts_of
from holdfast.booking.deciding.prepared import Prepared
from holdfast.booking.deciding.wanted import check_length
from holdfast.booking.finding.look import look
from holdfast.booking.finding.search import Outlook, Sets
from holdfast.booking.finding.suggest import slot_json, suggest
from holdfast.claim.model import Occupancy
from holdfast.kernel.db.deadline import REQUEST_DEADLINE_S, left_s
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.span import Span
from holdfast.place.opening import hours, slot
from holdfast.place.venue import Resource, Venue, capacity

OPTIONS_MAX = 20
DAYS_MAX = 31


async def check(tx: Tx, wanted: Prepared) -> dict[str, Any]:
    """Whether the span is free for the party, on which resources, at what price; else why not and what is.

    Nothing is kept for anybody. Raises what the venue's rules refuse, as creating would.
    """
    venue, span, party_size = wanted.venue, wanted.span, wanted.wanted.party_size
    named = wanted.sets[0] if wanted.wanted.resource_ids else ()
    rules.check_time(venue, named, span, now=tx.now, slot_id=wanted.slot_id)
    outlook = await look(tx, venue, wanted.sets, span)
    covers = outlook.covers.get(rules.pacing_window(span.start), 0)
    rules.check_pacing(venue, span, party_size=party_size, covers=covers)
    found = outlook.free(wanted.sets, span, party_size=party_size, slot_id=wanted.slot_id, most=OPTIONS_MAX)
    price = tx.ports.pricing.quote(
        venue=venue,
        resources=list(found.sets[0] if found else wanted.sets[0]),
        span=span,
        party_size=party_size,
    )
    return {
        "available": found is not None,
        "options": [_option(venue, each, party_size) for each in (found.sets if found else ())],
        "price": price.as_json(),
        "conflicts": [] if found else conflicts_of(wanted, outlook.occupancy),
        "suggested_slots": [] if found else await suggest(tx, wanted),
        "can_join_waitlist": found is None and venue.policy.waitlist_enabled,
    }


def _option(venue: Venue, resources: Sequence[Resource], party_size: int) -> dict[str, Any]:
    seats = capacity(venue, [resource.id for resource in resources]).seats_max
    return {
        "resource_ids": [str(resource.id) for resource in resources],
        "seats_wasted": max(seats - party_size, 0),
    }


@dataclass(frozen=True, slots=True)
class View:
    """A question about many starts, with all that was read to answer it."""

    outlook: Outlook
    sets: Sets
    by_day: dict[date, list[tuple[Span, str | None]]]
    party_size: int


async def view(
    tx: Tx, venue: Venue, *, first: date, days: int, party_size: int, duration_minutes: int | None
) -> View:
    """What `starts` and `days_with_room` need for `days` (at most DAYS_MAX) opening days from the first."""
    try:
        sets = candidate_sets(venue, Demand(party_size))
    except HoldfastError:
        sets = ()
    by_day = {
        day: _asked(venue, day, party_size=party_size, duration_minutes=duration_minutes)
        for day in (first + timedelta(days=n) for n in range(min(days, DAYS_MAX)))
    }
    spans = [span for asked in by_day.values() for span, _ in asked]
    if not sets or not spans:
        return View(Outlook(venue, tx.now, Occupancy(tx.now), {}), (), {}, party_size)
    around = Span(min(span.start for span in spans), max(span.end for span in spans))
    return View(await look(tx, venue, sets, around), sets, by_day, party_size)


async def starts(seen: View) -> list[dict[str, Any]]:
    """Every start that is free for the party as the API shows it, in order; with `slot_id` where the venue sells named
    slots. Raises Overloaded when it takes too long."""
    slices = Slices()
    found = []
    for asked in seen.by_day.values():
        for span, slot_id in asked:
            await _share(slices)
            free = seen.outlook.free(seen.sets, span, party_size=seen.party_size, slot_id=slot_id)
            if free is not None:
                found.append(slot_json(free, seen.outlook.venue) | {"slot_id": slot_id})
    return found


async def days_with_room(seen: View) -> list[date]:
    """The days on which there is any free start. Raises Overloaded when it takes too long."""
    slices = Slices()
    found = []
    for day, asked in seen.by_day.items():
        for span, slot_id in asked:
            await _share(slices)
            if seen.outlook.free(seen.sets, span, party_size=seen.party_size, slot_id=slot_id):
                found.append(day)
                break
    return found


async def _share(slices: Slices) -> None:
    """Lets others go first now and then. Raises Overloaded when the request's time is over."""
    if await slices.rest() and left_s(REQUEST_DEADLINE_S) <= 0:
        raise Overloaded("There is too much to look through. Ask for a shorter time.")


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
