"""A requested change of a booking, resolved as far as is possible without the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking import states
from holdfast.booking.deciding.nearby import prepared_nearby
from holdfast.booking.deciding.prepare import prepared_at, probes_of, says_length, timed, usual_minutes
from holdfast.booking.deciding.reorder import ItemChange, check_items, order_in_place, reorder
from holdfast.booking.deciding.stays import changed_from_now, revised_stay, says_times
from holdfast.booking.deciding.transfer import Transfer, transfer_of
from holdfast.booking.model import Booking
from holdfast.booking.rules.length import check_asked, until_closing
from holdfast.booking.rules.override import Overruled, check_rule, overruled_by
from holdfast.booking.rules.sale import with_sale
from holdfast.booking.rules.sittings import as_slot
from holdfast.booking.states import InvalidTransition
from holdfast.booking.wanted import Overriding, Prepared, Wanted, When, wanted_anew
from holdfast.claim.model import Probe
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError, InvalidRequest
from holdfast.kernel.span import Span
from holdfast.pacing.limits import Limit, is_paced, limits
from holdfast.place.opening.clock import minutes_between
from holdfast.place.questions.answers import changed_answers
from holdfast.place.venue import Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The requested changes to a booking. None means unchanged.

    `planned`: the resources that a plan has already chosen; no others are considered.
    `overriding`: what staff overrule, if anything.
    `guest`, `details`: the fields to change. No decision depends on them, but who gets the booking must be allowed to.
    `sale`: the new `extras` and `discount_code`, if they change. `items`: the items of an order that change or are new.
    """

    booking_id: UUID
    expected_version: int
    when: When | None = None
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None
    planned: tuple[UUID, ...] = ()
    overriding: Overriding | None = None
    guest: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    sale: dict[str, Any] = field(default_factory=dict)
    items: tuple[ItemChange, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether it is about the time, the party or the resources."""
        changes = (self.when, self.party_size, self.resource_ids, self.preferences)
        return bool(self.items) or any(value is not None for value in changes)


@dataclass(frozen=True, slots=True)
class Wish:
    """A requested change, resolved as far as is possible without the ledger. `prepared`: None if time, party, resources
    and extras stay as they are: then no rule is asked. `transfer`: who gets the booking, if another guest does."""

    asked: Change
    before: Booking
    prepared: Prepared | None
    transfer: Transfer | None = None

    @property
    def span(self) -> Span:
        """When the booking will be."""
        return self.before.span if self.prepared is None else self.prepared.span

    def probes(self) -> Iterator[Probe]:
        """Yields the ledger probes that the decision needs."""
        if self.prepared is not None and self.before.occupies:
            yield from () if self.keeps_claims else probes_of(self.prepared)

    @property
    def keeps_claims(self) -> bool:
        """Whether the booking stays where and when it is, whatever else changes: its claims are right as they are."""
        prepared, before = self.prepared, self.before
        if prepared is not None and prepared.items:
            return prepared.span == before.span and not self.asked.items and before.occupies
        return prepared is None or (
            before.occupies
            and prepared.span == before.span
            and (self._keeps_promise or {each.id for each in prepared.sets[0]} == {*before.resource_ids})
            and (
                prepared.wanted.party_size == before.party_size
                or all(each.takes == "party" for each in prepared.sets[0])
            )
        )

    @property
    def _keeps_promise(self) -> bool:
        """Whether it is promised one of a type and still is: all of the type are alike."""
        if self.prepared is None or not self.before.is_unbound:
            return False
        wanted = self.prepared.wanted
        return not (wanted.resource_ids or wanted.planned) and wanted.preferences == self.before.preferences

    def limits(self) -> Sequence[Limit]:
        """Returns the bounds on arrivals that the change affects: not those under which the booking counts already."""
        prepared, before = self.prepared, self.before
        if prepared is None or not is_paced(prepared.venue):
            return ()
        venue, source = prepared.venue, before.details.source
        found = limits(venue, prepared.span.start, prepared.slot_id, source)
        if prepared.wanted.party_size <= before.party_size:
            same = {each.window for each in limits(venue, before.start_at, before.slot_id, source)}
            found = [each for each in found if each.window not in same]
        return found


def wish(
    asked: Change, before: Booking, venue: Venue, *, actor: Actor, now: datetime
) -> Wish | HoldfastError:
    """Resolves the change, or returns the error if it can be refused without the ledger."""
    try:
        if before.status in states.TERMINAL:
            raise InvalidTransition(
                f"A booking that is {before.status} can no longer be changed: create a new one.",
                **{"from": before.status, "to": before.status, "allowed": []},
            )
        if "answers" in asked.details:
            asked = replace(asked, details=_answered(asked, before, venue, actor))
        prepared = _prepare(asked, before, venue, actor)
        if prepared is not None:
            prepared = changed_from_now(with_sale(prepared), before, now)
        return Wish(asked, before, prepared, transfer_of(asked.guest, before, venue))
    except HoldfastError as error:
        return error


def _answered(asked: Change, before: Booking, venue: Venue, actor: Actor) -> dict[str, Any]:
    given, stored = asked.details["answers"], before.details.answers
    return {**asked.details, "answers": changed_answers(venue, given, stored, is_staff=actor.is_staff)}


def _prepare(asked: Change, before: Booking, venue: Venue, actor: Actor) -> Prepared | None:
    """Returns the request for what the booking will be; None if it stays where, when and for whom it is."""
    over = overruled_by(asked.overriding, actor, venue)
    party_size = asked.party_size or before.party_size
    span, slot_id, facts = _time(asked, before, venue, actor, over)
    if before.items or asked.items:
        return _reorder(asked, before, venue, actor, over, span, slot_id, facts)
    anew = replace(wanted_anew(before, actor), **asked.sale)
    if span.start != before.start_at and before.status is not states.Status.CHECKED_IN:
        anew = replace(anew, bound=False)  # for another time, one of a type is promised it like a new one
    if is_unmoved(asked, before, span, slot_id):
        return _in_place(replace(anew, **facts), before, venue) if asked.sale else None
    wanted = replace(
        anew,
        party_size=party_size,
        planned=asked.planned,
        overriding=asked.overriding,
        **facts,
    )
    if asked.resource_ids is not None:
        wanted = replace(wanted, resource_ids=asked.resource_ids, named=True)
        known = [venue.resources[each] for each in asked.resource_ids if each in venue.resources]
        if any(each.group != before.preferences.group for each in known):
            wanted = replace(wanted, preferences=replace(before.preferences, group=None))
    elif prefers_anew(asked, before):
        wanted = replace(wanted, resource_ids=(), preferences=asked.preferences or ANYTHING, named=False)
    elif before.chosen_by == "house" and not asked.planned:
        return prepared_nearby(wanted, before.resource_ids, venue, span, slot_id, over)
    return prepared_at(wanted, venue, span, slot_id, over)


def _reorder(
    asked: Change,
    before: Booking,
    venue: Venue,
    actor: Actor,
    over: Overruled | None,
    span: Span,
    slot_id: str | None,
    facts: dict[str, Any],
) -> Prepared | None:
    check_items(asked, before, asked.items)
    if not asked.items and not asked.sale and (span, slot_id) == (before.span, before.slot_id):
        return None
    anew = replace(wanted_anew(before, actor), **asked.sale, **facts, overriding=asked.overriding)
    if not asked.items and span == before.span:
        return order_in_place(anew, venue, span, slot_id)
    return reorder(anew, asked.items, venue, span, slot_id, over, stays=span == before.span)


def _in_place(wanted: Wanted, before: Booking, venue: Venue) -> Prepared:
    """Returns the request for the booking where it is, with other extras or another code. No rule is asked."""
    if missing := [str(each) for each in before.resource_ids if each not in venue.resources]:
        problem = "were removed from the venue, so that the price can't be computed: choose others"
        raise InvalidRequest.of("resource_ids", missing, problem)
    place = tuple(venue.resources[each] for each in before.resource_ids)
    if before.is_unbound:  # any of its type has its price
        place = tuple(
            islice((each for each in venue.resources.values() if before.preferences.accepts(each)), 1)
        )
    return Prepared(wanted, venue, before.span, before.slot_id, (place,))


def is_unmoved(asked: Change, before: Booking, span: Span, slot_id: str | None) -> bool:
    """Returns whether the change leaves time, party and resources as they are, said again or not."""
    named = before.chosen_by == "guest" and {*before.resource_ids} == {*(asked.resource_ids or ())}
    return (
        (span, slot_id) == (before.span, before.slot_id)
        and asked.party_size in (None, before.party_size)
        and (asked.resource_ids is None or named)
        and not prefers_anew(asked, before)
    )


def prefers_anew(asked: Change, before: Booking) -> bool:
    """Returns whether the house is asked to choose by other preferences than it did, or at all."""
    if asked.preferences is None:
        return False
    return before.chosen_by == "guest" or asked.preferences != before.preferences


def _time(
    asked: Change, before: Booking, venue: Venue, actor: Actor, over: Overruled | None
) -> tuple[Span, str | None, dict[str, Any]]:
    """Returns the time of the changed booking, its slot, and what else its request knows about its time."""
    when = (asked.when or When()).completed(before.local_start)
    had, party_size = largest_party(before), largest_party(before, asked)
    if venue.stay is not None and asked.when is not None:
        return _stay(when, before, venue, is_staff=actor.is_staff)
    grows = party_size != had and not before.length_asked and before.slot_id is None
    as_before = {"length_asked": before.length_asked, "minutes_asked": before.minutes_asked}
    if asked.when is None and not grows:
        nights = before.stay_nights
        return before.span, before.slot_id, as_before | {"nights": nights, "nights_kept": nights}
    usual = usual_minutes(venue.policy, party_size) if grows else None
    span, slot_id = timed(_fill_in(when, before, venue, usual), venue, party_size=party_size)
    if asked.when is not None and span != before.span:
        is_staff, says = actor.is_staff, says_length(when)
        span, slot_id = as_slot(venue, span, slot_id, says_length=says, is_staff=is_staff)
    if slot_id is None and span == before.span:
        slot_id = before.slot_id  # the time of its slot, said again
    if says_length(when) and slot_id is None:
        if span.duration != before.span.duration:
            usual, is_staff = usual_minutes(venue.policy, party_size), actor.is_staff
            check_rule(over, check_asked, when, span, venue, usual=usual, is_staff=is_staff)
        return span, slot_id, {"length_asked": True, "minutes_asked": when.duration_minutes is not None}
    if grows and before.status is states.Status.CHECKED_IN:
        span = until_closing(venue, span)  # as when it was seated
    if slot_id is not None:
        as_before = {"length_asked": False, "minutes_asked": False}
    return span, slot_id, as_before


def largest_party(before: Booking, asked: Change | None = None) -> int:
    """Returns how many guests the usual length is that of: the booking's or, of an order, those of its largest item.
    `asked`: after this change."""
    sizes = {each.id: each.party_size for each in before.items if not each.is_cancelled}
    if asked is not None:
        sizes |= {each.id: each.party_size for each in asked.items if each.party_size is not None}
    if before.items and sizes:
        return max(sizes.values())
    return (asked and asked.party_size) or before.party_size


def _stay(
    when: When, before: Booking, venue: Venue, *, is_staff: bool
) -> tuple[Span, str | None, dict[str, Any]]:
    span, nights = revised_stay(when, before, venue, is_staff=is_staff)
    kept = nights if is_staff and says_times(when) else before.stay_nights
    return span, when.slot_id, {"length_asked": True, "nights": nights, "nights_kept": kept}


def _fill_in(when: When, before: Booking, venue: Venue, usual: int | None) -> When:
    """Fills in what the request leaves out: a new end or length keeps the start. A new start keeps the length, unless
    the party gets its usual one: minutes if it was asked for in minutes, else the length on the clock."""
    if when.wall == before.local_start and before.timezone == venue.timezone:
        when = replace(when, wall=None, start=before.start_at)
    if when.start is None and when.wall is None and when.slot_id is None:
        when = replace(when, start=before.start_at)
    if says_length(when) or when.slot_id is not None:
        return when
    if usual is None and when.start == before.start_at:
        return replace(when, end=before.end_at)
    wall = when.kept_minutes or minutes_between(before.local_start, before.local_end)
    if usual is None and wall > 0 and not before.minutes_asked:
        return replace(when, wall_minutes=wall)
    return replace(when, duration_minutes=usual or minutes_between(before.start_at, before.end_at))
