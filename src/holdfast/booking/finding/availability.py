"""The availability check, the day view and the month view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import Demand, candidate_sets
from holdfast.assigning.combine import capacity
from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.deciding.conflicts import conflicts_of
from holdfast.booking.deciding.decide import price_of
from holdfast.booking.deciding.prepare import bounds, check_time, usual_minutes
from holdfast.booking.deciding.stays import begun, from_now, stay_facts
from holdfast.booking.finding.look import look
from holdfast.booking.finding.promised import promised
from holdfast.booking.finding.scan import Scan, Start, allowed, share
from holdfast.booking.finding.search import Found, Sets
from holdfast.booking.finding.suggest import suggest
from holdfast.booking.making.sales_store import read_sales
from holdfast.booking.price import price_json
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.rules.length import check_length
from holdfast.booking.rules.nights import stay_at
from holdfast.booking.rules.pacing import check_arrived
from holdfast.booking.rules.sittings import is_slots_only
from holdfast.booking.said import GUEST, Asker
from holdfast.booking.wanted import Prepared
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening import hours, slot
from holdfast.place.opening.nights import nights_allowed
from holdfast.place.opening.opened import choices, hours_of, starts_of_day
from holdfast.place.opening.stay import Nights, count_of, span_of
from holdfast.place.venue import Venue

OPTIONS_MAX = 20
DAYS_MAX = 31
STARTS_AT_ONCE_MAX = 4_000
"""How many starts one scan takes: sorting them blocks the event loop for a few milliseconds."""
DAYS_A_PART = 7
"""Remaining days of a month that are looked at together: fewer read less where only Saturdays are full, and take longer
where all days are."""

Read = Callable[..., Awaitable[Any]]


async def check(tx: Tx, wanted: Prepared) -> dict[str, Any]:
    """Returns whether the span is free for the party, on which resources and at what price; otherwise the conflicts
    and suggestions.

    Nothing is reserved. Raises the same errors as creating the booking if the venue's rules refuse it.
    """
    wanted = from_now(wanted, tx.now)
    venue, span, party_size = wanted.venue, wanted.span, wanted.wanted.party_size
    facts = stay_facts(wanted.wanted)
    named = wanted.sets[0] if wanted.wanted.resource_ids else ()
    check_time(venue, named, span, now=tx.now, among=wanted.all_sets, slot_id=wanted.slot_id, **facts)
    asker = wanted.wanted.asker
    outlook = await look(tx, venue, wanted.sets, span, asker, but=wanted.wanted.instead_of)
    at = {"slot_id": wanted.slot_id, "source": asker.source, "party_size": party_size}
    check_arrived(venue, outlook.arrived, span.start, **at)
    if outlook.allowance is not None:
        outlook.allowance.check(span)
    about = facts | {"party_size": party_size, "slot_id": wanted.slot_id}
    found = outlook.free(wanted.sets, span, most=OPTIONS_MAX, **about)
    if found is None and wanted.wanted.is_of_type:
        outlook = await look(tx, venue, wanted.sets, span, asker, but=wanted.wanted.instead_of, is_type=True)
        found = outlook.free(wanted.sets, span, is_type=True, **about)
    if wanted.sale.is_limited:
        sales = await read_sales(tx, [wanted], but=wanted.wanted.instead_of)
        sales.check_stock(venue, span, wanted.sale)
        sales.check_uses(venue, wanted.sale.discount)
    price = price_of(wanted, found.sets[0] if found else wanted.sets[0], tx.ports.pricing, now=tx.now)
    return {
        "available": found is not None,
        "options": _options(venue, found, party_size) if found else [],
        "price": price_json(price),
        "conflicts": [] if found else conflicts_of(wanted, outlook.occupancy),
        "suggested_slots": [] if found else await suggest(tx, wanted),
        "can_join_waitlist": found is None and venue.policy.waitlist_enabled,
    }


def _options(venue: Venue, found: Found, party_size: int) -> list[dict[str, Any]]:
    options = list[dict[str, Any]]()
    for resources in found.sets:
        ids = [each.id for each in resources]
        wasted = max(capacity(venue, ids).seats_max - party_size, 0)
        options.append({"resource_ids": [] if found.fit else [*map(str, ids)], "seats_wasted": wasted})
    return options


async def free_starts(
    tx: Tx,
    venue: Venue,
    *,
    day: date,
    party_size: int,
    duration_minutes: int | None,
    preferences: Preferences = ANYTHING,
    asker: Asker = GUEST,
    but: UUID | None = None,
) -> list[tuple[Start, Found]]:
    """Returns every start of the opening day that the asker can book for the party, in order, each with the best set it
    is free on. `but`: a booking that does not count.

    Raises DurationNotAllowed, InvalidRequest for preferences that no resource has, Overloaded.
    """
    sets = _sets(venue, party_size, preferences, asker)
    about = {"party_size": party_size, "duration_minutes": duration_minutes, "asker": asker}
    asked = await asked_about(tx, venue, sets, [day], **about)
    each_alone = [start._replace(goal=number) for number, start in enumerate(asked)]
    allowed_starts = await allowed(tx, venue, sets, each_alone, party_size=party_size, asker=asker, but=but)
    scan = Scan(venue, sets, allowed_starts, party_size=party_size, asker=asker, but=but)
    while not scan.is_over:
        await scan.look_on(tx)
    found = scan.found
    if preferences.group is not None:
        goals = {start.goal for start, _ in found}
        missing = [each for each in allowed_starts if each.goal not in goals]
        found = [*found, *await promised(tx, venue, sets, missing, asker=asker, but=but)]
    return sorted(found, key=lambda each: (each[0].span, each[0].slot_id or ""))


async def days_with_room(
    read: Read,
    venue: Venue,
    *,
    days: Sequence[date],
    party_size: int,
    duration_minutes: int | None,
    preferences: Preferences = ANYTHING,
    asker: Asker = GUEST,
    but: UUID | None = None,
) -> list[date]:
    """Returns those of the opening days (at most DAYS_MAX, in order) that have a start that the asker can book. Raises
    DurationNotAllowed, Overloaded.

    1. Look at the best sets, for all days at once. Where there is room, that is mostly enough.
    2. Look at all sets, for a few of the remaining days at a time. Each `await read(verb, *args)` is a transaction of
       its own, and between two of them other queries have their turns.
    3. Of a type that is bound late, look at what can be promised on the rest.
    """
    asked = {"party_size": party_size, "duration_minutes": duration_minutes, "asker": asker}
    asked["preferences"] = preferences
    sets, left, with_room = await read(look_at_best, venue, days[:DAYS_MAX], **asked, but=but)
    for part in _in_parts(left):
        scan = Scan(venue, sets, part, party_size=party_size, asker=asker, but=but)
        while not scan.is_over:
            await read(scan.look_on)
        with_room.update(start.goal for start, _ in scan.found)
        if preferences.group is not None:
            rest = [each for each in part if each.goal not in with_room]
            late = await read(promised, venue, sets, rest, asker=asker, but=but)
            with_room.update(start.goal for start, _ in late)
    return [day for day in days if day in with_room]


async def look_at_best(
    tx: Tx,
    venue: Venue,
    days: Sequence[date],
    *,
    party_size: int,
    duration_minutes: int | None,
    preferences: Preferences = ANYTHING,
    asker: Asker = GUEST,
    but: UUID | None = None,
) -> tuple[Sets, list[Start], set[Hashable]]:
    """Returns all sets for the party, the starts that the rules allow on days without room on the best sets, as far as
    others or a promise may do, and the days with room on these."""
    about = {"party_size": party_size, "duration_minutes": duration_minutes, "asker": asker}
    sets, left, with_room = _sets(venue, party_size, preferences, asker), list[Start](), set[Hashable]()
    asked = await asked_about(tx, venue, sets, days, **about)
    is_late = preferences.group is not None and venue.policy.bind_group != "at_once"
    for first in range(0, len(asked), STARTS_AT_ONCE_MAX):
        part = asked[first : first + STARTS_AT_ONCE_MAX]
        part = await allowed(tx, venue, sets, part, party_size=party_size, asker=asker, but=but)
        scan = Scan(venue, sets, part, party_size=party_size, asker=asker, but=but)
        await scan.look_at_page(tx)
        with_room.update(start.goal for start, _ in scan.found)
        left += scan.left() if is_late or not scan.is_over else []
    return sets, [each for each in left if each.goal not in with_room], with_room


def _in_parts(starts: Sequence[Start]) -> Iterator[list[Start]]:
    """The starts, whose goals are their days, in parts of up to DAYS_A_PART that follow each other."""
    part, days = list[Start](), list[date]()
    of_day: dict[Any, list[Start]] = {}
    for each in starts:
        of_day.setdefault(each.goal, []).append(each)
    for day, new in sorted(of_day.items()):
        follows = bool(days) and day == days[-1] + timedelta(days=1) and len(days) < DAYS_A_PART
        if part and (not follows or len(part) + len(new) > STARTS_AT_ONCE_MAX):
            yield part
            part, days = [], []
        part, days = part + new, [*days, day]
    if part:
        yield part


def _sets(venue: Venue, party_size: int, preferences: Preferences, asker: Asker) -> Sets:
    """The sets of resources for the party, best first. Raises InvalidRequest if no resource has what is preferred."""
    try:
        sets = candidate_sets(venue, Demand(party_size, (), preferences))
        return in_order(venue, asker, sets) if venue.policy.held_back else sets
    except InvalidRequest:
        if preferences != ANYTHING:
            raise
        return ()
    except HoldfastError:
        return ()


async def asked_about(
    tx: Tx,
    venue: Venue,
    sets: Sets,
    days: Sequence[date],
    *,
    party_size: int,
    duration_minutes: int | None,
    asker: Asker = GUEST,
) -> list[Start]:
    """Returns the starts of these opening days that can be booked as of now: every start on the step of one of the
    sets, and the venue's slots; for guests slots alone where they book no others. With a length, slots of that length,
    and only where slots are booked. The goal of each is its day."""
    if duration_minutes is not None and venue.stay is None:
        length = timedelta(minutes=duration_minutes)
        check_length(
            length, venue.policy, usual=usual_minutes(venue.policy, party_size), is_staff=asker.is_staff
        )
    slices, able = Slices(), choices(venue, sets)
    found: list[Start] = []
    for day in _bookable(venue, days, now=tx.now) if sets else ():
        await share(slices)
        about = {"party_size": party_size, "duration_minutes": duration_minutes, "asker": asker}
        found += of_day(venue, able, day, now=tx.now, **about)
    return found


def _bookable(venue: Venue, days: Sequence[date], *, now: datetime) -> list[date]:
    """Returns those of the opening days on which a booking made now can start. An opening ends at the end of the next
    day at the latest."""
    earliest, latest = bounds(venue, now)
    first, last = hours.to_wall(earliest, venue.tz).date(), hours.to_wall(latest, venue.tz).date()
    return [day for day in days if first - timedelta(days=2) <= day <= last]


def of_day(
    venue: Venue,
    sets: Sets,
    day: date,
    *,
    party_size: int,
    duration_minutes: int | None,
    asker: Asker,
    now: datetime,
) -> list[Start]:
    """Returns the starts of an opening day, whatever is booked and whether or not there is still time for them: see
    `asked_about`. A slot may be one in which nothing is open. `now`: a stay whose night has begun starts then."""
    if venue.stay is not None:
        return _night_of(venue, sets, day, duration_minutes, asker, now=now)
    minutes = duration_minutes or usual_minutes(venue.policy, party_size)
    length, any_length = timedelta(minutes=minutes), duration_minutes is None
    books_slots = venue.policy.starts == "slots"
    slots = slot.windows_on(venue, day) if venue.slots or books_slots else ()
    # Where slots are booked, a time that is exactly a slot's means that slot, also if its length is asked for.
    meant = [each for each in slots if any_length or (books_slots and each.span.duration == length)]
    named = [Start(each.span, each.id, day) for each in meant]
    if is_slots_only(venue, is_staff=asker.is_staff):
        return named
    # A start that is exactly a slot's needs no step.
    starts = {*starts_of_day(venue, sets, day, duration_minutes=minutes)}
    starts |= {each.span.start for each in slots if each.span.duration == length}
    if books_slots:
        around = [each for n in (-1, 0, 1, 2) for each in slot.windows_on(venue, day + timedelta(days=n))]
        starts -= {each.span.start for each in around if any_length or each.span.duration == length}
    return [*(Start(Span(start, start + length), None, day) for start in sorted(starts)), *named]


def _night_of(
    venue: Venue, sets: Sets, day: date, duration_minutes: int | None, asker: Asker, *, now: datetime
) -> list[Start]:
    """Returns a stay from that date, of the length that is asked for or the shortest allowed."""
    stay = stay_at(venue)
    least, _ = nights_allowed(venue, day)
    nights = Nights(day, least if duration_minutes is None else count_of(stay, duration_minutes))
    if not any(hours.sells(venue, own, nights) for each in choices(venue, sets) for own in hours_of(each)):
        return []
    span = begun(span_of(stay, nights, venue.tz), nights, venue, now=now, began=asker.began)
    return [Start(span, None, day)]
