"""Changing bookings of a series: one, this and the following, or all that are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from holdfast.booking.change import Change, decide_set, learn, look_around, write_set
from holdfast.booking.decide import Further
from holdfast.booking.model import Booking
from holdfast.booking.revise import Around, Revised, revise
from holdfast.booking.wanted import Preferences, When
from holdfast.booking.wish import Wish, wish
from holdfast.engine import Read, StalePlan
from holdfast.event.emit import emit
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.slices import Slices
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.series import model, store
from holdfast.series.decide import Basis, basis
from holdfast.series.expand import in_parts
from holdfast.series.find import concerned, find_version, none_left
from holdfast.series.model import Member, OnConflict, Scope, Series, SeriesDone
from holdfast.series.refused import Missed, SeriesRefused, not_to_come


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChange:
    """What is to be different in bookings of a series; None leaves it as it is.

    `occurrence_on`: the one, or the first, unless the scope is all. `booking_time`: wall time, on the
    date that each booking has. `details`: columns that nothing is decided by.
    """

    series_id: UUID
    expected_version: int
    scope: Scope
    occurrence_on: date | None = None
    on_conflict: OnConflict = OnConflict.REFUSE
    booking_time: time | None = None
    duration_minutes: int | None = None
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def of(self, booking: Booking) -> Change:
        """The same for one of the bookings."""
        wall = None
        if self.booking_time is not None:
            wall = datetime.combine(booking.local_start.date(), self.booking_time)
        timed = wall is not None or self.duration_minutes is not None
        return Change(
            booking_id=booking.id,
            expected_version=booking.version,
            when=When(wall=wall, duration_minutes=self.duration_minutes) if timed else None,
            party_size=self.party_size,
            resource_ids=self.resource_ids,
            preferences=self.preferences,
            details=self.details,
        )


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """A change worked out by the venue's rules of that version. `seen`: the bookings that it was to be about, with
    their versions; `changes`: of those that can be changed, the order in which they make room for each other."""

    asked: SeriesChange
    rules_version: int
    seen: tuple[tuple[UUID, int], ...]
    changes: tuple[Change, ...]
    missed: tuple[Missed, ...]

    def check(self, missed: Sequence[Missed], venue: Venue) -> None:
        """Raises SeriesRefused when some can't be changed and may not be left as they are, or none can."""
        of = len(self.seen)
        if missed and (self.asked.on_conflict is OnConflict.REFUSE or len(missed) == of):
            raise SeriesRefused(missed, of=of, venue=venue)


@dataclass(frozen=True, slots=True)
class _Found:
    """The series, the bookings the change is about, and those of them that are still to come."""

    series: Series
    members: Sequence[Member]
    about: Sequence[Member]
    coming: Sequence[Member]

    @property
    def seen(self) -> tuple[tuple[UUID, int], ...]:
        return tuple((each.booking.id, each.booking.version) for each in self.coming)


async def _find(tx: Tx, asked: SeriesChange, venue: Venue) -> _Found:
    series, members = await find_version(tx, venue.tenant_id, asked.series_id, asked.expected_version)
    about = concerned(members, asked.scope, asked.occurrence_on)
    coming = [each for each in about if each.is_open(tx.now)]
    if not coming:
        raise none_left(asked.scope)
    return _Found(series, members, about, coming)


async def plan_change(
    read: Read, *, asked: SeriesChange, actor: Actor, venue: Venue, places: Places
) -> ChangePlan:
    """What `change_series` is to write: one booking after the other, each making room for the next.

    Raises NotFound, VersionConflict, InvalidRequest when none is still to come, and SeriesRefused when some can't
    be changed and may not be left as they are, or none can.
    """
    by: Basis = await read(basis, venue, places)
    found: _Found = await read(_find, asked, by.venue)
    ordered = _in_order(found.coming, asked)
    outcomes = await _revise_all(read, ordered, asked, actor, by)
    changes = [
        _planned(asked.of(each.booking), outcome)
        for each, outcome in zip(ordered, outcomes, strict=True)
        if isinstance(outcome, Revised)
    ]
    missed = _missed(ordered, outcomes)
    plan = ChangePlan(asked, by.venue.rules_version, found.seen, tuple(changes), tuple(missed))
    plan.check(missed, by.venue)
    return plan


def _planned(change: Change, revised: Revised) -> Change:
    """With what was found, where something was looked for."""
    return change if change.preferences is None else replace(change, planned=revised.after.resource_ids)


def _missed(members: Sequence[Member], outcomes: Sequence[Revised | HoldfastError]) -> list[Missed]:
    """Those that can't be changed, by date; they stay as they are."""
    missed = [
        Missed(each.on, each.booking.span, outcome, each.booking.id)
        for each, outcome in zip(members, outcomes, strict=True)
        if isinstance(outcome, HoldfastError)
    ]
    return sorted(missed, key=lambda each: each.on)


async def _revise_all(
    read: Read, members: Sequence[Member], asked: SeriesChange, actor: Actor, by: Basis
) -> list[Revised | HoldfastError]:
    """What would become of each, one after the other."""
    outcomes, slices = list[Revised | HoldfastError](), Slices()
    named = max(len(asked.resource_ids or each.booking.resource_ids) for each in members)
    for part in in_parts(members, named if asked.preferences is None else len(by.venue.resources)):
        wishes = [wish(asked.of(each.booking), each.booking, by.venue, actor=actor) for each in part]
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
    """The series as it is then, with what was changed, and what was not and why.

    What others took since it was planned is planned anew; without `plans_left` it stays as it is. Runs under the
    lock of `venue`. Raises StalePlan, NotFound, VersionConflict, SeriesRefused.
    """
    asked = plan.asked
    found = await _find(tx, asked, venue)
    if plan.rules_version != venue.rules_version or plan.seen != found.seen:
        raise StalePlan
    members = {each.booking.id: each for each in found.coming}
    decided = await decide_set(tx, plan.changes, venue=venue)
    late = _missed([members[each.booking_id] for each in plan.changes], decided.outcomes)
    if late and plans_left:
        raise StalePlan
    missed = sorted([*plan.missed, *late], key=lambda each: each.on)
    plan.check(missed, venue)
    await write_set(tx, decided, venue=venue)
    afters = [each.after for each in decided.outcomes if isinstance(each, Revised)]
    said = [
        *(each.as_json(venue) for each in missed),
        *(not_to_come(each, venue) for each in found.about if not each.is_open(tx.now)),
    ]
    return await saved(
        tx, _after(found.series, asked, now=tx.now), "updated", found.members, afters, unchanged=said
    )


async def saved(
    tx: Tx,
    after: Series,
    what: str,
    members: Sequence[Member],
    afters: Sequence[Booking],
    *,
    unchanged: list[dict[str, Any]],
) -> SeriesDone:
    """The series, written, with its event `series.<what>`, and its bookings as they are now: `afters` are those
    that were changed."""
    new = {each.id: each for each in afters}
    now = [Member(each.on, new.get(each.booking.id, each.booking)) for each in members]
    changed = [each for each in now if each.booking.id in new]
    await store.save(tx, after)
    bookings = [each.booking for each in changed]
    await emit(tx, [model.event(tx, after, what, bookings)])
    more = {"changed": [each.on for each in changed], "unchanged": unchanged}
    return SeriesDone(after, now, bookings, more)


def _in_order(members: Sequence[Member], asked: SeriesChange) -> Sequence[Member]:
    """So that none is in the way of the one before it: the last first, where they move to a later time."""
    first = members[0].booking.local_start.time()
    later = asked.booking_time is None or asked.booking_time >= first
    return list(reversed(members)) if later else members


def _after(series: Series, asked: SeriesChange, *, now: datetime) -> Series:
    after = replace(series, version=series.version + 1, updated_at=now)
    if asked.scope is not Scope.ALL:
        return after
    start = series.local_start
    return replace(
        after,
        local_start=start
        if asked.booking_time is None
        else datetime.combine(start.date(), asked.booking_time),
        duration_minutes=asked.duration_minutes or series.duration_minutes,
    )
