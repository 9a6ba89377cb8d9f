"""When guests can book a resource in a slot, and why not now. Pure.

They need notice, and can't book too far ahead, nor what is held back for others, nor where no more may arrive. They may
come by any source that is open to everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from holdfast.channel.closed import Begin, OfVenue, guests_begin_in, smallest_party
from holdfast.channel.crowd import NOT_FULL, Full
from holdfast.channel.slots import DatedSlot
from holdfast.kernel.span import Span, merged
from holdfast.place.policies.withhold import PUBLIC, Ahead, kept_from
from holdfast.place.venue import Venue

TIMES_CACHED_MAX = 512
"""Each has a value for every resource of a venue, and there are several for a slot whose starts fill up."""
INSTANT = timedelta(microseconds=1)
NOBODY: frozenset[Ahead] = frozenset()
"""For whom a resource is held back: nobody else."""
Times = tuple[Span, ...]
"""When guests can make a booking, in order; both ends included. Mostly it is one span."""
HELD_BACK_REASON = "held back"
"""The reason that guests see for a free resource that is held back for others."""
NOT_NOW_REASON = "not now"
"""The reason that guests see for what is free, but can't be booked at this time: past, too soon, or too far ahead."""
FULL_REASON = "no more arrivals"
"""The reason that guests see for what is free, but as many arrive then as may."""
NO_ARRIVAL_REASON = "no arrival"
"""The reason that guests see for a free night on whose date no stay arrives."""
TOO_FEW_NIGHTS_REASON = "too few nights free"
"""The reason that guests see for a free night, if the shortest stay that may arrive then doesn't fit."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts besides notice. `full`: where no more may arrive. `holds_back`: whether what is held back for others
    counts. `groups`: those of guests that the guest is in."""

    full: Full = NOT_FULL
    holds_back: bool = True
    groups: frozenset[str] = frozenset()


OPEN_TO_ALL = Rules(holds_back=False)


def times_for_guests(venue: Venue, slot: DatedSlot, rules: Rules) -> Mapping[UUID, Times]:
    """Returns for each resource when guests can book it in the slot, as far as the rules and arrivals decide it; none
    for what is closed."""
    return _times_for_guests(OfVenue.of(venue, slot), rules)


def is_time(times: Times, now: datetime) -> bool:
    """Returns whether guests can book at that instant."""
    return any(each.start <= now <= each.end for each in times)


def why_not(venue: Venue, slot: DatedSlot, resource_id: UUID, rules: Rules, *, now: datetime) -> str | None:
    """Returns why guests can't book a free resource at that instant; None if the rules let them."""
    if venue.stay is not None and slot.stay is None:
        return NO_ARRIVAL_REASON
    if is_time(times_for_guests(venue, slot, rules)[resource_id], now):
        return None
    for fewer, reason in (
        (OPEN_TO_ALL, NOT_NOW_REASON),
        (Rules(groups=rules.groups), HELD_BACK_REASON),
    ):
        if not is_time(times_for_guests(venue, slot, fewer)[resource_id], now):
            return _closed_later(venue, slot, resource_id) or reason
    return FULL_REASON


def changes_at(venue: Venue, slot: DatedSlot, *, after: datetime) -> datetime | None:
    """Returns the next instant at which the rules let some guests book more or less of the slot; None if there is
    none. Who arrives does not count: where the last start is full, the end that guests were told comes earlier."""
    named = (frozenset({each.for_}) for each in venue.policy.held_back)
    found = {
        times
        for groups in (frozenset[str](), *named)
        for times in times_for_guests(venue, slot, Rules(groups=groups)).values()
    }
    ends = (at for times in found for span in times for at in (span.start, span.end + INSTANT))
    return min((at for at in ends if at > after), default=None)


def is_held_back(venue: Venue, slot: DatedSlot, resource_id: UUID, *, now: datetime) -> bool:
    """Returns whether the public can't book the resource in that slot at that instant only because it is held back."""
    return bool(venue.policy.held_back) and (
        why_not(venue, slot, resource_id, Rules(), now=now) == HELD_BACK_REASON
    )


def _closed_later(venue: Venue, slot: DatedSlot, resource_id: UUID) -> str | None:
    is_open = guests_begin_in(venue, slot)[resource_id]
    return TOO_FEW_NIGHTS_REASON if venue.stay is not None and not is_open else None


@lru_cache(maxsize=TIMES_CACHED_MAX)
def _times_for_guests(key: OfVenue, rules: Rules) -> Mapping[UUID, Times]:
    venue = key.venue
    kept = kept_from(venue, PUBLIC | rules.groups) if rules.holds_back and venue.policy.held_back else {}
    known: dict[object, Times] = {}
    found: dict[UUID, Times] = {}
    for id_, begins in guests_begin_in(venue, key.slot).items():
        resource, ahead = venue.resources[id_], NOBODY
        if kept:
            ahead = frozenset(kept[leaf.id] for leaf in resource.claimed if leaf.id in kept)
        if rules.full:
            party_size = smallest_party(resource)
            begins = tuple(each for each in begins if (each, party_size) not in rules.full)
        if (begins, ahead) not in known:
            able = merged(_times_of(key, begins, ahead))
            known[begins, ahead] = tuple(Span(each.start, each.end - INSTANT) for each in able)
        found[id_] = known[begins, ahead]
    return found


def _times_of(key: OfVenue, begins: tuple[Begin, ...], ahead: Collection[Ahead]) -> Iterator[Span]:
    """Yields when guests can make a booking that begins then, the ends not included."""
    policy = key.venue.policy
    notice, advance = timedelta(minutes=policy.min_notice_minutes), timedelta(days=policy.max_advance_days)
    for begin, _ in begins:
        last = begin - notice
        if key.venue.stay is not None and not notice:
            last = key.slot.span.end - INSTANT  # a night is sold until it is over
        if begin - advance <= last:
            able = Span(begin - advance, last + INSTANT)
            yield from _gaps(able, merged(each.asked(begin) for each in ahead)) if ahead else (able,)


def _gaps(whole: Span, out: tuple[Span, ...]) -> Iterator[Span]:
    """Yields what is left of the span. `out`: what is not, in order."""
    start = whole.start
    for each in out:
        if start < min(each.start, whole.end):
            yield Span(start, min(each.start, whole.end))
        start = max(start, each.end)
    if start < whole.end:
        yield Span(start, whole.end)
