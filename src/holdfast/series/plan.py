"""Plans a new series: which occurrence gets what, and which gets nothing. Holds no lock while it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.deciding.known import Created, Refused
from holdfast.booking.finding.look import look
from holdfast.booking.finding.search import Outlook, Sets
from holdfast.booking.finding.suggest import suggest_from
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.planning import Read
from holdfast.series.decide import Basis, basis, decide_all
from holdfast.series.expand import Expanded, Planned, SeriesWanted, expand
from holdfast.series.model import OnConflict
from holdfast.series.refused import Missed, check_missed

ALTERNATIVES_MAX = 60
"""The number of occurrences for which it looks for another time; the others are skipped."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What an occurrence will get. `wanted`: with the chosen resources. `missed`: if it is at another time, why the
    requested one is not available."""

    at: Planned
    wanted: Wanted
    missed: Missed | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned series, computed with the venue's rules at `rules_version`: what to book, and what not and why.
    `places`: where `booking.making.create` gets the venue from."""

    asked: SeriesWanted
    on_conflict: OnConflict
    rules_version: int
    expanded: Expanded
    seats: tuple[Seat, ...]
    missed: tuple[Missed, ...]
    places: Places


async def plan_series(
    read: Read, *, asked: SeriesWanted, on_conflict: OnConflict, venue: Venue, places: Places
) -> Plan:
    """Plans what `create_series` will write.

    1. Decide on each occurrence in order, counting the earlier ones as booked.
    2. If one is refused, `on_conflict` decides: refuse them all (refuse), leave it out (skip), or take the nearest
       free time of the same day and leave it out if there is none (alternatives).

    Raises SeriesRefused if all occurrences are missed, or if some are and `on_conflict` is refuse; and another
    error if the series as a whole is impossible.
    """
    by: Basis = await read(basis, venue, places)
    expanded = expand(asked, by.venue, now=by.now)
    found = list(zip(expanded.planned, await decide_all(read, expanded.planned, by), strict=True))
    booked = [each for _, each in found if isinstance(each, Created)]
    seats = [_seat(at, at, each) for at, each in found if isinstance(each, Created)]
    missed = [(at, Missed(at.on, at.span, each.error)) for at, each in found if isinstance(each, Refused)]
    if on_conflict is OnConflict.ALTERNATIVES:
        seats += await _find_alternatives(read, missed, booked, by)
    seated = {seat.at.on for seat in seats}
    left = [each for at, each in missed if at.on not in seated]
    check_missed(left, of=len(found), on_conflict=on_conflict, venue=by.venue)
    return Plan(asked, on_conflict, by.venue.rules_version, expanded, tuple(seats), tuple(left), places)


def _seat(at: Planned, planned: Planned, created: Created, missed: Missed | None = None) -> Seat:
    return Seat(at, replace(planned.wanted, planned=created.booking.resource_ids), missed)


async def _find_alternatives(
    read: Read, missed: Sequence[tuple[Planned, Missed]], booked: Sequence[Created], by: Basis
) -> list[Seat]:
    """Finds other times on the same days for occurrences whose place is taken."""
    taken = [(at, why, why.error) for at, why in missed if isinstance(why.error, NotAvailable)]
    found = [
        (at, why, other)
        for at, why, error in taken[:ALTERNATIVES_MAX]
        if (other := await _find_alternative(read, at, error, booked, by.venue)) is not None
    ]
    decided = await decide_all(read, [other for _, _, other in found], by, tentative=booked)
    return [
        _seat(at, other, each, why)
        for (at, why, other), each in zip(found, decided, strict=True)
        if isinstance(each, Created)
    ]


async def _find_alternative(
    read: Read, planned: Planned, error: NotAvailable, booked: Sequence[Created], venue: Venue
) -> Planned | None:
    """Returns the occurrence at the nearest free time of its day, or on similar free resources at the same time."""
    if error.wanted is None:
        return None

    asker, is_type = error.wanted.wanted.asker, error.wanted.wanted.is_of_type

    async def with_booked(sets: Sets, around: Span) -> Outlook:
        return _add_booked(await read(look, venue, sets, around, asker, is_type=is_type), booked, around)

    error.fields["suggested_slots"] = await suggest_from(with_booked, error.wanted)
    wanted_on = hours.to_wall(planned.span.start, venue.tz).date()
    for each in error.fields["suggested_slots"]:  # the nearest first
        span = Span(_instant(each["start"]), _instant(each["end"]))
        if hours.to_wall(span.start, venue.tz).date() == wanted_on:
            wanted = replace(
                planned.wanted,
                id=new_id(),
                when=When(start=span.start, end=span.end),
                resource_ids=tuple(map(UUID, each["resource_ids"])),
                named=bool(planned.wanted.resource_ids)
                and {*each["resource_ids"]} == {*map(str, planned.wanted.resource_ids)},
            )
            return Planned(planned.on, span, wanted)
    return None


def _add_booked(outlook: Outlook, booked: Sequence[Created], around: Span) -> Outlook:
    """Adds what has been planned so far."""
    for each in booked:
        for claim in each.claims:
            if claim.span.overlaps(around) or outlook.occupancy.ahead:
                outlook.occupancy.add(claim)
        if each.booking.span.overlaps(around):
            one = each.booking
            outlook.arrived.add(one.start_at, one.slot_id, one.details.source, one.party_size)
    return outlook


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
