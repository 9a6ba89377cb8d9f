"""What of a venue is held back, for whom, and until when. Pure.

What can't be booked is decided by leaves: a hall is held back where one of its courts is, and the other way round.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple, get_args
from uuid import UUID

from holdfast.kernel.span import Span, bits_between
from holdfast.place.policies.held_back import WHOLE, HeldBack
from holdfast.place.policies.pacing import BookingSource
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue, VenueKey

CACHED_MAX = 1024
GROUPS_TOGETHER_MAX = 3
"""Of a resource that is held back for more groups of guests than these, events say to a guest of several groups what
one of them can book."""
SOURCES: tuple[str, ...] = get_args(BookingSource)
BEGINNING = datetime.min.replace(tzinfo=UTC)
PUBLIC = frozenset({"web", "api"})
"""The sources that everybody can use. What is held back for one of them is open to the public."""


class Ahead(NamedTuple):
    """The visits for which a resource is kept from somebody: those that start more than `over` from now, and not more
    than `up_to` from now, if that is given: before that, it is held back for them among others."""

    over: timedelta
    up_to: timedelta | None

    def holds(self, start: datetime, now: datetime) -> bool:
        """Returns whether a visit that starts then is one of them."""
        ahead = start - now
        return ahead > self.over and (self.up_to is None or ahead <= self.up_to)

    def bits(self, times: Sequence[datetime], now: datetime) -> int:
        """Returns a bit for each of the times, which are in order: set for a start of such a visit."""
        end = len(times) if self.up_to is None else bisect_right(times, now + self.up_to)
        return bits_between(bisect_right(times, now + self.over), end)

    def asked(self, start: datetime) -> Span:
        """Returns when somebody who asks for a visit that starts then is kept out."""
        return Span(BEGINNING if self.up_to is None else start - self.up_to, start - self.over)


def held_back(venue: Venue) -> Mapping[UUID, tuple[HeldBack, ...]]:
    """Returns the rules that hold back each leaf, by its id; leaves that are not held back are left out."""
    return _held_back(VenueKey.of(venue))


@lru_cache(maxsize=CACHED_MAX)
def _held_back(key: VenueKey) -> Mapping[UUID, tuple[HeldBack, ...]]:
    found: dict[UUID, tuple[HeldBack, ...]] = {}
    for rule, resources in _chosen(key.venue):
        for leaf_id in {leaf.id for each in resources for leaf in each.claimed}:
            found[leaf_id] = (*found.get(leaf_id, ()), rule)
    return found


def _chosen(venue: Venue) -> Iterator[tuple[HeldBack, Sequence[Resource]]]:
    by_slug = {each.slug: each for each in venue.resources.values()}
    shared: dict[str, set[UUID]] = {}
    for rule in venue.policy.held_back:
        if rule.group is None:
            yield rule, [by_slug[each] for each in rule.resources or () if each in by_slug]
            continue
        of = [each for each in venue.resources.values() if each.active and each.group == rule.group]
        if rule.share_percent < WHOLE:
            many, done = max(len(of) * rule.share_percent // WHOLE, 1), shared.setdefault(rule.group, set())
            of = sorted((each for each in of if each.id not in done), key=lambda each: each.order)[-many:]
            done |= {each.id for each in of}
        yield rule, of


def held_for(venue: Venue, resource: Resource) -> list[str]:
    """Returns for whom the resource is held back: sources, and groups of guests."""
    held = held_back(venue)
    return sorted({rule.for_ for leaf in resource.claimed for rule in held.get(leaf.id, ())})


def held_for_names(policy: Policy) -> frozenset[str]:
    """Returns for whom something is held back at all: sources, and groups of guests."""
    return frozenset(each.for_ for each in policy.held_back)


def groups_held_for(venue: Venue, resource: Resource) -> Sequence[frozenset[str]]:
    """Returns the sets of groups of guests for whom it can differ when they can book the resource, and the public."""
    if not venue.policy.held_back:
        return ()
    named = [each for each in held_for(venue, resource) if each not in SOURCES]
    # A guest of several groups has what any of them has; of a whole with parts held back for different ones, more.
    most = len(named) if len(named) <= GROUPS_TOGETHER_MAX else 1
    return [frozenset(each) for size in range(1, most + 1) for each in combinations(named, size)]


def kept_from(venue: Venue, names: frozenset[str]) -> Mapping[UUID, Ahead]:
    """Returns the leaves that are kept from a booking with one of these names, its source and the groups of its guest,
    and for which visits.

    A leaf with several rules is for everybody whom one of those that still hold names.
    """
    known = names & held_for_names(venue.policy)
    return _kept_from(VenueKey.of(venue), known)


@lru_cache(maxsize=CACHED_MAX)
def _kept_from(key: VenueKey, names: frozenset[str]) -> Mapping[UUID, Ahead]:
    found: dict[UUID, Ahead] = {}
    for leaf_id, held in held_back(key.venue).items():
        over = min(each.until_minutes for each in held)
        own = min((each.until_minutes for each in held if each.for_ in names), default=None)
        if own is None or own > over:
            up_to = None if own is None else timedelta(minutes=own)
            found[leaf_id] = Ahead(timedelta(minutes=over), up_to)
    return found
