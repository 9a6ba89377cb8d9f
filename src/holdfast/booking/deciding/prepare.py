"""What can be said of a request without the ledger: its span, the sets of resources that would do, best first, and
whether the venue's rules allow the time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import (
    Demand,
    candidate_sets,
    check_party,
    claimed_by,
    first_free,
    named_resources,
)
from holdfast.assigning.pool import fit_in_pool
from holdfast.booking.deciding.order import Place, place_order, prepare_order
from holdfast.booking.deciding.stays import as_stay
from holdfast.booking.rules import held_back, times
from holdfast.booking.rules.length import check_asked, until_closing
from holdfast.booking.rules.nights import check_stay
from holdfast.booking.rules.override import Overruled, check_rule, overruled_by
from holdfast.booking.rules.sale import with_sale
from holdfast.booking.rules.sittings import as_slot
from holdfast.booking.wanted import SETS_FIRST, Prepared, Wanted, When
from holdfast.claim.model import Occupancy, Probe, claimed_span
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening import hours, opened, slot
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
EVERYWHERE: times.Choices = ((),)
"""The choices at a venue where no resource has hours of its own."""


def prepare(wanted: Wanted, venue: Venue, *, now: datetime) -> Prepared:
    """Works out the span and the candidate resources. Raises the errors of `timed` and `candidate_sets`."""
    over = None if wanted.overriding is None else overruled_by(wanted.overriding, wanted.actor, venue)
    minute = now.replace(second=0, microsecond=0) if wanted.walk_in else None
    if venue.stay is not None:
        wanted, span = as_stay(wanted, venue, now=minute)
        return _with_sets(wanted, venue, span, wanted.when.slot_id, over)
    party_size = max((each.party_size for each in wanted.items), default=wanted.party_size)
    span, slot_id = timed(wanted.when, venue, party_size=party_size, now=minute)
    says_length, is_staff = asks_length(wanted), wanted.actor.is_staff
    if slot_id is None and venue.policy.starts != "any":
        span, slot_id = as_slot(venue, span, slot_id, says_length=says_length, is_staff=is_staff)
    if says_length and slot_id is None:
        check_rule(
            over,
            check_asked,
            wanted.when,
            span,
            venue,
            usual=usual_minutes(venue.policy, party_size),
            is_staff=is_staff,
        )
    elif wanted.walk_in and slot_id is None:
        span = until_closing(venue, span)
    return _with_sets(wanted, venue, span, slot_id, over)


def _with_sets(
    wanted: Wanted, venue: Venue, span: Span, slot_id: str | None, over: Overruled | None
) -> Prepared:
    if wanted.items:
        prepared = prepared_at(wanted, venue, span, slot_id, over)
    else:
        sets = sets_for(wanted, venue, over)
        hit = () if over is None else tuple(over.hit)
        prepared = Prepared(wanted, venue, span, slot_id, sets[:SETS_FIRST], sets[SETS_FIRST:], hit)
    return with_sale(prepared) if wanted.extras or wanted.discount_code is not None else prepared


def timed(
    when: When, venue: Venue, *, party_size: int, now: datetime | None = None
) -> tuple[Span, str | None]:
    """Returns the requested span, and the slot's id if a slot was requested.

    `now`: the start of a walk-in that gives none. Raises InvalidRequest, NonexistentLocalTime.
    """
    if when.arrival is not None or when.departure is not None or when.nights is not None:
        field, value = when.nights_said
        problem = "is for venues that sell nights: here, give start, or booking_date with booking_time"
        raise InvalidRequest.of(field, str(value), problem)
    if when.slot_id is not None:
        assert when.day is not None
        return slot.slot_span(venue, when.day, when.slot_id), when.slot_id
    start = when.start or now
    if when.wall is not None:
        start = hours.to_utc(when.wall, venue.tz)
    if start is None:
        raise InvalidRequest.of(
            "start", None, "is required (or booking_date with booking_time, or date with slot_id)"
        )
    end = when.end
    if end is None and when.wall_minutes is not None:
        end = hours.later(start, when.wall_minutes, venue.tz)
    elif end is None:
        end = start + (when.duration_minutes or usual_minutes(venue.policy, party_size)) * _MINUTE
    if end <= start:
        raise InvalidRequest.of("end", end.isoformat(), f"must be after the start, {start.isoformat()}")
    return Span(start, end), None


def usual_minutes(policy: Policy, party_size: int) -> int:
    """Returns the usual length of a booking for that many guests, in minutes."""
    fitting = (each.minutes for each in policy.durations if party_size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)


def says_length(when: When) -> bool:
    """Returns whether the request says how long the booking lasts. A slot has its own length."""
    return when.end is not None or when.duration_minutes is not None or when.wall_minutes is not None


def asks_length(wanted: Wanted) -> bool:
    """Returns whether the length was asked for; otherwise it is the usual one of the party."""
    return says_length(wanted.when) if wanted.length_asked is None else wanted.length_asked


def prepared_at(
    wanted: Wanted, venue: Venue, span: Span, slot_id: str | None, over: Overruled | None = None
) -> Prepared:
    """Returns the request at that time, with every set that fits. Raises the errors of `candidate_sets`, unless they
    are overruled: for named resources only, since they alone are somebody's choice."""
    if wanted.items:
        return prepare_order(wanted, venue, span, slot_id, over, sets_for)
    sets = sets_for(wanted, venue, over)
    return Prepared(wanted, venue, span, slot_id, sets, overruled=() if over is None else tuple(over.hit))


def sets_for(wanted: Wanted, venue: Venue, over: Overruled | None) -> tuple[tuple[Resource, ...], ...]:
    """Returns the sets that fit, best first. Raises like `prepared_at`."""
    if wanted.planned:
        return (named_resources(venue, wanted.planned),)
    if over is not None and wanted.resource_ids:
        named = named_resources(venue, wanted.resource_ids)
        over.check(check_party, venue, named, wanted.party_size)
        return (named,)
    sets = candidate_sets(venue, Demand(wanted.party_size, wanted.resource_ids, wanted.preferences))
    return held_back.in_order(venue, wanted.asker, sets) if venue.policy.held_back else sets


def find_place(
    prepared: Prepared, occupancy: Occupancy, *, but: UUID | None = None
) -> Place | list[Probe] | None:
    """Returns the best free place; None if there is none. For a booking that is promised a type, others that have no
    resource yet may move. Claims of owner `but` don't count.

    If it can't tell yet, it returns the probes that the occupancy must learn before it is asked again, with
    `prepared.in_full()`.
    """
    if prepared.items:
        # The search goes on with fewer sets, none of which may be a closed one.
        if prepared.venue.has_own_hours:
            items = tuple([replace(each, sets=tuple(open_sets(each))) for each in prepared.items])
            prepared = replace(prepared, items=items)
        return place_order(prepared, occupancy, find_place=find_place, but=but)
    sets, party_size = open_sets(prepared), prepared.wanted.party_size
    if prepared.venue.policy.held_back:
        sets = held_back.open_to(prepared, sets, now=occupancy.now)
    found = first_free(sets, prepared.span, occupancy, party_size=party_size, but=but)
    if prepared.rest and (found is None or isinstance(found, list)):
        return [*(found or ()), *probes_of(prepared.in_full())]
    if isinstance(found, tuple):
        return Place(*found)
    if found is not None or not sets or not binds_late(prepared, now=occupancy.now):
        return found
    pool, tenant_id = [each for each, *_ in sets], prepared.venue.tenant_id
    fit = fit_in_pool(pool, prepared.span, occupancy, tenant_id=tenant_id, but=but)
    return Place((fit.resource,), [fit]) if isinstance(fit, Fit) else fit


def open_sets(prepared: Prepared) -> Sequence[tuple[Resource, ...]]:
    """Returns the sets that are open during the span, on their own steps; some resources have their own hours. If there
    are none, but the rules allow the time or don't matter, all of them."""
    venue, wanted = prepared.venue, prepared.wanted
    if wanted.resource_ids or not venue.has_own_hours:
        return prepared.sets
    for any_start in (wanted.walk_in or prepared.slot_id is not None, True):
        found = opened.opened(venue, prepared.sets, prepared.span, any_start=any_start)
        if found or prepared.rest:
            return found
    return prepared.sets


def probes_of(prepared: Prepared) -> Iterator[Probe]:
    """Yields the ledger probes that the decision needs."""
    for resource in claimed_by(prepared.sets):
        yield prepared.venue.tenant_id, resource.id, claimed_span(resource, prepared.span)


def ids_of(prepared: Prepared, resources: Sequence[Resource], *, now: datetime) -> tuple[UUID, ...]:
    """Returns the resources that the booking has: these, or none yet if it is promised a type."""
    if prepared.items:
        return tuple(dict.fromkeys([each.id for each in resources]))
    return () if binds_late(prepared, now=now) else tuple([each.id for each in resources])


def binds_late(prepared: Prepared, *, now: datetime) -> bool:
    """Returns whether the booking gets no resource yet, only the promise of one of its type."""
    wanted = prepared.wanted
    if wanted.preferences.group is None or not wanted.is_of_type:
        return False
    return is_bound_late(prepared.venue, prepared.span, now=now)


def is_bound_late(venue: Venue, span: Span, *, now: datetime) -> bool:
    """Returns whether a booking of a type for that span would get its resource later."""
    if venue.policy.bind_group == "on_the_day":
        return hours.to_wall(now, venue.tz).date() < hours.to_wall(span.start, venue.tz).date()
    return venue.policy.bind_group == "at_check_in"


def check_time(
    venue: Venue,
    resources: Sequence[Resource],
    span: Span,
    *,
    now: datetime,
    among: opened.Sets = (),
    walk_in: bool = False,
    slot_id: str | None = None,
    over: Overruled | None = None,
    **stay: Any,
) -> None:
    """Checks the span against the venue's opening hours, notice and slot step; a stay, against the rules about nights.

    `resources`: those that are booked, or none: then one of the sets `among` has to be open, on its own step.

    Slots are exempt from the slot step, walk-ins from step and notice. `stay`: as `stay_facts` has it. Raises TooSoon,
    TooFarAhead, OutsideOpeningHours, OffSlotStep, and what `check_nights` raises, unless `over` overrules them.
    """
    choices: times.Choices = EVERYWHERE
    if venue.has_own_hours:
        choices = (resources,) if resources else opened.choices(venue, among)
    if venue.stay is not None:
        notice = None if walk_in else _check_notice
        check_stay(venue, choices, span, now=now, notice=notice, over=over, **stay)
        return
    check = _check if over is None else over.check
    if not walk_in:
        check(_check_notice, venue, choices, span, now=now)
    check(_check_open, venue, choices, span)
    if not walk_in and slot_id is None:
        check(_check_step, venue, choices, span, now=now)


def _check(rule: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    rule(*args, **kwargs)


def _check_notice(
    venue: Venue, choices: times.Choices, span: Span, *, now: datetime, late: bool = False
) -> None:
    earliest, latest = bounds(venue, now)
    if span.start < earliest and not late:
        raise times.too_soon(venue, choices, span, earliest)
    if span.start > latest:
        raise times.too_far_ahead(venue, choices, span, latest)


def bounds(venue: Venue, now: datetime) -> Span:
    """Returns the earliest and latest instants at which a booking made now may start."""
    policy = venue.policy
    return Span(now + policy.min_notice_minutes * _MINUTE, now + policy.max_advance_days * _DAY)


def _check_open(venue: Venue, choices: times.Choices, span: Span) -> None:
    if choices is EVERYWHERE and hours.is_open(venue, None, span.start, span.end):
        return
    if not any(_is_open(venue, each, span) for each in choices):
        raise times.outside(venue, choices, span)


def _is_open(venue: Venue, resources: Sequence[Resource], span: Span) -> bool:
    if resources:
        return opened.is_open(venue, resources, span)
    return hours.is_open(venue, None, span.start, span.end)


def _check_step(venue: Venue, choices: times.Choices, span: Span, *, now: datetime) -> None:
    if choices is EVERYWHERE and hours.aligned(venue, None, span.start):
        return
    # Where none is open, which was overruled, any step will do.
    able = [each for each in choices if _is_open(venue, each, span)] or choices
    if not any(opened.is_on_step(venue, each, span) for each in able):
        raise times.off_step(venue, able, span, bounds(venue, now))
