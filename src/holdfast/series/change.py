"""Changes or cancels bookings of a series: one, one and those after it, or all that are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Any
from uuid import UUID

from holdfast.assigning.preferences import Preferences
from holdfast.booking.change import Change, decide_set, learn, look_around, write_set
from holdfast.booking.deciding.around import Around, Revised
from holdfast.booking.deciding.known import Further
from holdfast.booking.deciding.revise import revise
from holdfast.booking.deciding.wish import Wish, wish
from holdfast.booking.model import Booking
from holdfast.booking.move import Move, move_set
from holdfast.booking.states import Status
from holdfast.booking.wanted import When
from holdfast.event.emit import emit
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.place.opening.clock import instant_of, later
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.planning import Read, StalePlan
from holdfast.series import model, store
from holdfast.series.decide import Basis, basis
from holdfast.series.expand import in_parts
from holdfast.series.find import SeriesSelection, SeriesTarget, find_bookings
from holdfast.series.model import Member, OnConflict, Scope, Series, SeriesDone
from holdfast.series.refused import Missed, check_missed, unchangeable


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChange(SeriesTarget):
    """What to change in bookings of a series. None leaves a value as it is.

    `booking_time`: wall time; each booking keeps its date. `guest`, `details`: as in `Change`.
    """

    on_conflict: OnConflict = OnConflict.REFUSE
    booking_time: time | None = None
    duration_minutes: int | None = None
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None
    guest: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def of(self, booking: Booking, series: Series, venue: Venue) -> Change:
        """Returns the change to one of the bookings. The length is on the clock, so that they all end at one time of
        the day; a start that clocks skip is the first instant after that."""
        start = kept = None
        # An end in a skipped hour is shown as later than it is for the others.
        if later(booking.start_at, series.duration_minutes, venue.tz) == booking.end_at:
            kept = series.duration_minutes
        if self.booking_time is not None:
            wall = datetime.combine(booking.local_start.date(), self.booking_time)
            start = instant_of(wall, venue.tz)
        timed = start is not None or self.duration_minutes is not None
        return Change(
            booking_id=booking.id,
            expected_version=booking.version,
            when=When(start=start, wall_minutes=self.duration_minutes, kept_minutes=kept) if timed else None,
            party_size=self.party_size,
            resource_ids=self.resource_ids,
            preferences=self.preferences,
            guest=self.guest,
            details=self.details,
        )


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """A planned change, computed with the venue's rules at `rules_version`.

    `seen`: the selected bookings, with their versions at the time. `changes`: for those that can be changed, in an
    order in which each makes room for the next.
    """

    asked: SeriesChange
    rules_version: int
    seen: tuple[tuple[UUID, int], ...]
    changes: tuple[Change, ...]
    missed: tuple[Missed, ...]


async def plan_change(
    read: Read, *, asked: SeriesChange, actor: Actor, venue: Venue, places: Places
) -> ChangePlan:
    """Plans what `change_series` will write, one booking after another, each making room for the next.

    Raises NotFound, VersionConflict, InvalidRequest if no selected booking is still to come, and SeriesRefused if
    none can be changed, or if some can't and `on_conflict` is refuse.
    """
    by: Basis = await read(basis, venue, places)
    found: SeriesSelection = await read(find_bookings, asked, by.venue)
    ordered = _in_order(found.coming, asked)
    wanted = [asked.of(each.booking, found.series, by.venue) for each in ordered]
    outcomes = await _revise_all(read, list(zip(wanted, ordered, strict=True)), actor, by)
    changes = [
        _planned(each, outcome)
        for each, outcome in zip(wanted, outcomes, strict=True)
        if isinstance(outcome, Revised)
    ]
    missed = _missed(ordered, outcomes)
    check_missed(missed, of=len(ordered), on_conflict=asked.on_conflict, venue=by.venue)
    return ChangePlan(asked, by.venue.rules_version, _versions_of(found), tuple(changes), tuple(missed))


def _versions_of(found: SeriesSelection) -> tuple[tuple[UUID, int], ...]:
    return tuple((each.booking.id, each.booking.version) for each in found.coming)


def _planned(change: Change, revised: Revised) -> Change:
    """Adds the chosen resources, if the change asks for a choice."""
    return change if change.preferences is None else replace(change, planned=revised.after.resource_ids)


def _missed(members: Sequence[Member], outcomes: Sequence[Revised | HoldfastError]) -> list[Missed]:
    """Returns the bookings that can't be changed, by date. They stay as they are."""
    missed = [
        Missed(each.on, each.booking.span, outcome, each.booking.id)
        for each, outcome in zip(members, outcomes, strict=True)
        if isinstance(outcome, HoldfastError)
    ]
    return sorted(missed, key=lambda each: each.on)


async def _revise_all(
    read: Read, wanted: Sequence[tuple[Change, Member]], actor: Actor, by: Basis
) -> list[Revised | HoldfastError]:
    """Decides on each booking in turn, counting the earlier ones as changed already."""
    outcomes, slices = list[Revised | HoldfastError](), Slices()
    named = max(len(change.resource_ids or each.booking.resource_ids) for change, each in wanted)
    chosen = any(change.preferences is not None for change, _ in wanted)
    for part in in_parts(wanted, len(by.venue.resources) if chosen else named):
        wishes = [wish(change, each.booking, by.venue, actor=actor, now=by.now) for change, each in part]
        around: Around = await read(
            look_around, [each for each in wishes if isinstance(each, Wish)], by.venue
        )
        before = [each for each in outcomes if isinstance(each, Revised)]
        around.leave_out({each.after.id for each in before})
        for each in before:
            around.count(each)
        for each in wishes:
            result = revise(each, around, actor=actor, pricing=by.pricing)
            while isinstance(result, Further):
                await read(learn, around, result.probes)
                result = revise(each, around, actor=actor, pricing=by.pricing)
            outcomes.append(result)
            await slices.rest()
    return outcomes


async def change_series(tx: Tx, plan: ChangePlan, *, plans_left: int, venue: Venue) -> SeriesDone:
    """Writes the planned change. Returns the series with what was changed, and what was not and why.

    If others have taken a place since it was planned, it raises StalePlan. With no `plans_left`, the bookings
    concerned stay as they are instead. Runs under the lock of `venue`. Raises StalePlan, NotFound, VersionConflict,
    SeriesRefused.
    """
    asked = plan.asked
    found = await find_bookings(tx, asked, venue)
    if plan.rules_version != venue.rules_version or plan.seen != _versions_of(found):
        raise StalePlan
    members = {each.booking.id: each for each in found.coming}
    decided = await decide_set(tx, plan.changes, venue=venue)
    late = _missed([members[each.booking_id] for each in plan.changes], decided.outcomes)
    if late and plans_left:
        raise StalePlan
    missed = sorted([*plan.missed, *late], key=lambda each: each.on)
    check_missed(missed, of=len(plan.seen), on_conflict=asked.on_conflict, venue=venue)
    await write_set(tx, decided, venue=venue)
    afters = [each.after for each in decided.outcomes if isinstance(each, Revised)]
    return await saved(tx, found, _after(found.series, asked), "updated", afters, venue=venue, missed=missed)


async def saved(
    tx: Tx,
    found: SeriesSelection,
    series: Series,
    what: str,
    afters: Sequence[Booking],
    *,
    venue: Venue,
    missed: Sequence[Missed] = (),
) -> SeriesDone:
    """Writes the next version of the series, emits `series.<what>`, and returns it with its current bookings.

    `afters`: the bookings that were changed. `missed`: those that could not be.
    """
    new = {each.id: each for each in afters}
    now = [Member(each.on, new.get(each.booking.id, each.booking)) for each in found.members]
    changed = [each for each in now if each.booking.id in new]
    after = replace(series, version=series.version + 1, updated_at=tx.now)
    await store.save(tx, after)
    bookings = [each.booking for each in changed]
    await emit(tx, [model.event(tx, after, what, bookings)])
    unchanged = [
        each.as_json(venue) for each in (*missed, *(unchangeable(each, venue) for each in found.over))
    ]
    more = {"changed": [each.on for each in changed], "unchanged": unchanged}
    return SeriesDone(after, now, bookings, more)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCancellation(SeriesTarget):
    """Which bookings of a series to cancel, and why."""

    reason: str | None = None


async def cancel_series(tx: Tx, asked: SeriesCancellation, *, venue: Venue) -> SeriesDone:
    """Cancels bookings. Returns the series with what was cancelled, and what was not and why.

    Runs under the lock of `venue`. Raises NotFound, VersionConflict, and InvalidRequest if no selected booking is
    still to come.
    """
    found = await find_bookings(tx, asked, venue)
    moves = [
        Move(
            booking_id=each.booking.id,
            to=Status.CANCELLED,
            expected_version=each.booking.version,
            reason=asked.reason,
        )
        for each in found.coming
    ]
    afters = await move_set(tx, moves, venue=venue)
    return await saved(tx, found, found.series, "cancelled", afters, venue=venue)


def _in_order(members: Sequence[Member], asked: SeriesChange) -> Sequence[Member]:
    """Sorts the bookings so that each makes room for the next: if they move to a later time, the last one first."""
    first = members[0].booking.local_start.time()
    later = asked.booking_time is None or asked.booking_time >= first
    return list(reversed(members)) if later else members


def _after(series: Series, asked: SeriesChange) -> Series:
    """Returns the series with its new time and duration. They change only if the scope is all."""
    if asked.scope is not Scope.ALL:
        return series
    start = series.local_start
    return replace(
        series,
        local_start=start
        if asked.booking_time is None
        else datetime.combine(start.date(), asked.booking_time),
        duration_minutes=asked.duration_minutes or series.duration_minutes,
    )
