"""Decides changes of bookings: their new times, resources and prices. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from holdfast.assigning.choose import settle
from holdfast.booking import states
from holdfast.booking.deciding.around import Around, Revised
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.decide import asks_minutes, chosen_by, claims_of, quoted
from holdfast.booking.deciding.known import Further
from holdfast.booking.deciding.order import Place
from holdfast.booking.deciding.prepare import (
    asks_length,
    check_time,
    find_place,
    ids_of,
    open_sets,
)
from holdfast.booking.deciding.reorder import with_cancelled
from holdfast.booking.deciding.stays import stay_facts
from holdfast.booking.deciding.transfer import given_away
from holdfast.booking.deciding.wish import Wish, prefers_anew
from holdfast.booking.model import Booking, due_of
from holdfast.booking.rules.fair_use import Allowance
from holdfast.booking.rules.held_back import open_to
from holdfast.booking.rules.override import Overruled, check_rule
from holdfast.booking.rules.pacing import check_limit
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.wanted import Prepared
from holdfast.claim.model import Occupancy
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.pacing.limits import Arrivals
from holdfast.place.opening.hours import to_wall
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource
from holdfast.port.pricing import Pricing


def revise(
    wish: Wish | HoldfastError, around: Around, *, actor: Actor, pricing: Pricing
) -> Revised | HoldfastError | Further:
    """Returns the changed booking, or the error it is refused with: the wish's own, the rules' or the ledger's.

    Its old claims do not block it. A changed booking is added to `around`, so that it counts for the later ones.
    Further: read those probes and decide again. Raises Overloaded.
    """
    if isinstance(wish, HoldfastError):
        return wish
    try:
        revised = _revise(wish, around, actor, pricing)
    except Overloaded:
        raise
    except HoldfastError as error:
        if isinstance(error, Suggestible) and error.is_about_time:
            error.wanted = wish.prepared
        return error
    if isinstance(revised, Revised):
        if wish.before.id not in around.out:
            around.leave_out({wish.before.id})
        around.count(revised)
    return revised


def _revise(wish: Wish, around: Around, actor: Actor, pricing: Pricing) -> Revised | Further:
    before, prepared, now = wish.before, wish.prepared, around.occupancy.now
    after = replace(
        before,
        version=before.version + 1,
        updated_at=now,
        guest=replace(before.guest, **wish.asked.guest),
        details=replace(before.details, **wish.asked.details),
    )
    asked = wish.asked.overriding
    over = (
        None
        if asked is None
        else Overruled(frozenset(asked.codes), [*(prepared.overruled if prepared else ())])
    )
    if wish.transfer is not None:
        things = _things(wish)
        wish.transfer.check(around.usage, wish.span, things=things, now=now, over=over)
        after = given_away(after)
    if prepared is not None:
        _check(wish, prepared, around, over)
        _check_sale(wish, prepared, around)
    if over is not None and asked is not None:
        others = [each for each in before.overrides if each["code"] not in over.hit]
        after = replace(after, overrides=(*others, *asked.entries(over.hit, actor)))
    if prepared is None:
        return Revised(before, after, None)
    if wish.keeps_claims:
        return Revised(before, _stayed(after, prepared, pricing), None)
    if before.id in around.in_full or not before.occupies:
        prepared = prepared.in_full()
    if not before.occupies:  # it has no place yet and gets the best set that is open
        best = _best(prepared, now=now)
        if best is None:
            raise taken(prepared, Occupancy(now))
        return Revised(before, _moved(after, prepared, best, now=now, pricing=pricing), None)
    found = find_place(prepared, around.occupancy, but=before.id)
    if found is None:
        raise taken(prepared, around.occupancy, but=before.id)
    if isinstance(found, list):
        around.in_full.add(before.id)
        return Further(found)
    after = _moved(after, prepared, found, now=now, pricing=pricing)
    settle(found.fits, around.occupancy)
    return Revised(before, after, claims_of(after, found.fits, changed_by=str(actor)))


def _best(prepared: Prepared, *, now: datetime) -> Place | None:
    """Returns the best place that is open, whether it is taken or not; of an order, one that its items can share."""
    if prepared.items:
        found = find_place(prepared, Occupancy(now))
        return found if isinstance(found, Place) else None
    best = next(iter(_open_to(prepared, now=now)), None)
    return None if best is None else _place((best,))


def _open_to(prepared: Prepared, *, now: datetime) -> Sequence[tuple[Resource, ...]]:
    sets = open_sets(prepared)
    return open_to(prepared, sets, now=now) if prepared.venue.policy.held_back else sets


def _check(wish: Wish, prepared: Prepared, around: Around, over: Overruled | None) -> None:
    """Checks the rules that the change affects."""
    venue, span, wanted, before = prepared.venue, prepared.span, prepared.wanted, wish.before
    for each in _placed_anew(wish, prepared):
        check_time(
            venue,
            each.sets[0] if each.wanted.resource_ids else (),
            span,
            now=around.occupancy.now,
            among=each.all_sets,
            walk_in=span.start == before.start_at,
            slot_id=prepared.slot_id,
            over=over,
            **stay_facts(wanted),
        )
    had = sum(not each.is_cancelled for each in before.items)
    if venue.policy.fair_use and wish.transfer is None and (span != before.span or len(prepared.items) > had):
        may = Allowance.of(venue, wanted.asker, around.usage, now=around.occupancy.now, but=before.id)
        check_rule(over, may.check, span, things=_things(wish))
    for limit in wish.limits():
        there = around.arriving.get(limit.window, {}).items()
        others = [size for id_, size in there if id_ != before.id]
        arrivals = Arrivals(sum(others), len(others))
        check_rule(over, check_limit, venue, limit, party_size=wanted.party_size, arrivals=arrivals)


def _things(wish: Wish) -> int:
    """Returns how many things the booking will be, for rules of fair use."""
    items = sum(not each.is_cancelled for each in wish.before.items)
    return max(items if wish.prepared is None else len(wish.prepared.items), 1)


def _placed_anew(wish: Wish, prepared: Prepared) -> Sequence[Prepared]:
    """Returns the requests that the rules on time are asked about: the booking, or items of an order."""
    before, wanted = wish.before, prepared.wanted
    if prepared.span != before.span:
        return prepared.items or (prepared,)
    if prepared.items:
        anew = {each.id for each in wish.asked.items if each.is_new or each.resource_ids or each.preferences}
        return [each for each in prepared.items if each.wanted.id in anew]
    named = {*wanted.resource_ids}
    renamed = named and named != {*before.resource_ids}
    sought = prefers_anew(wish.asked, before) and not wish.keeps_claims
    return (prepared,) if renamed or sought else ()


def _check_sale(wish: Wish, prepared: Prepared, around: Around) -> None:
    """Checks what is new: extras, or extras at another time, and another code."""
    before, sale, venue = wish.before, prepared.sale, prepared.venue
    if before.occupies and (sale.taken, prepared.span) != (before.extras, before.span):
        around.sales.check_stock(venue, prepared.span, sale, but=before.id)
    if sale.code != before.discount_code:
        around.sales.check_uses(venue, sale.discount)


def _stayed(after: Booking, prepared: Prepared, pricing: Pricing) -> Booking:
    """Returns the booking at the time and place it had. Another party or slot, or other extras, have another price."""
    wanted, sale, price, items = prepared.wanted, prepared.sale, after.price, after.items
    asked = (wanted.party_size, prepared.slot_id, sale.taken, sale.code)
    if asked != (after.party_size, after.slot_id, after.extras, after.discount_code):
        place = _place(tuple(each.sets[0] for each in prepared.items or (prepared,)))
        price, items = quoted(prepared, place, pricing, now=after.updated_at)
    return replace(
        after,
        slot_id=prepared.slot_id,
        length_asked=asks_length(wanted),
        minutes_asked=asks_minutes(wanted),
        party_size=wanted.party_size,
        chosen_by=chosen_by(wanted),
        preferences=wanted.preferences,
        price=price,
        items=with_cancelled(items, after.items),
        extras=sale.taken,
        discount_code=sale.code,
    )


def _place(of_items: tuple[tuple[Resource, ...], ...]) -> Place:
    return Place(tuple(each for own in of_items for each in own), [], of_items)


def _moved(after: Booking, prepared: Prepared, place: Place, *, now: datetime, pricing: Pricing) -> Booking:
    """Returns the booking at its new time and place, with a new price and new deadlines."""
    venue, span, wanted = prepared.venue, prepared.span, prepared.wanted
    timed_anew = (
        {}
        if span == after.span
        else {
            "start_at": span.start,
            "end_at": span.end,
            "local_start": to_wall(span.start, venue.tz),
            "local_end": to_wall(span.end, venue.tz),
            "timezone": venue.timezone,
        }
    )
    price, items = quoted(prepared, place, pricing, now=now)
    expires = max(_expires(after, span.start, venue.policy) or now, now) if after.expires_at else None
    return replace(
        after,
        **timed_anew,
        slot_id=prepared.slot_id,
        length_asked=asks_length(wanted),
        minutes_asked=asks_minutes(wanted),
        nights=None if wanted.nights is None else wanted.nights.count,
        arrival_on=None if wanted.nights is None else wanted.nights.arrival,
        party_size=wanted.party_size,
        chosen_by=chosen_by(wanted),
        preferences=wanted.preferences,
        resource_ids=ids_of(prepared, place.resources, now=now),
        price=price,
        items=with_cancelled(items, after.items),
        extras=prepared.sale.taken,
        discount_code=prepared.sale.code,
        expires_at=expires,
        due_at=due_of(after.status, policy=venue.policy, start=span.start, end=span.end, expires=expires),
    )


def _expires(after: Booking, start: datetime, policy: Policy) -> datetime | None:
    """Returns the new expiry. An undecided request expires when its approval time is over, but no later than its start.

    A request that began as a hold has had its approval time since it became a request; a change does not shorten it.
    """
    if after.status is not states.Status.PENDING_APPROVAL or after.expires_at is None:
        return after.expires_at
    decided_by = after.created_at + timedelta(hours=policy.approval_ttl_hours)
    return min(max(after.expires_at, decided_by), start)
