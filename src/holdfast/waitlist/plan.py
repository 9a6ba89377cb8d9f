"""Plans which entry gets which place, by going through the queue in order. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.assigning.choose import Demand, claimed_by
from holdfast.booking.deciding.prepare import is_bound_late
from holdfast.booking.finding.search import Found, Outlook, Sets, visit
from holdfast.booking.rules.fair_use import Allowance, Usage
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.rules.sittings import slot_of
from holdfast.claim.model import claimed_span
from holdfast.kernel.span import Span
from holdfast.place.opening.opened import choices, step_hours
from holdfast.place.opening.spans import Hours
from holdfast.place.policies.withhold import held_for_names
from holdfast.place.venue import Resource, Venue
from holdfast.waitlist.model import Entry
from holdfast.waitlist.timetable import CHUNK_STARTS, Chunk, Timetable, starts_in

Groups = frozenset[str]
NO_GROUPS: Groups = frozenset()


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """What a plan is made from, as of one moment.

    `piece`: the plan is for visits that overlap it. `entries`: all that wait for one, in queue order. `sets`: for each
    of their demands, the sets of resources that would do, best first; empty if none would. `version`: of the venue's
    channel `bookings`, read before the rest. As long as it is the same, nothing has changed. `usage`: what the guests
    have booked; None if the venue has no rules of fair use.
    """

    piece: Span
    entries: list[Entry]
    sets: Mapping[Demand, Sets]
    outlook: Outlook
    version: int
    usage: Usage | None = None

    @property
    def venue(self) -> Venue:
        return self.outlook.venue

    def allowance(self, entry: Entry) -> Allowance | None:
        """Returns what the guest may still book; None if no rule binds them."""
        usage, now = self.usage, self.outlook.now
        return None if usage is None else Allowance.of(self.venue, entry.asker, usage, now=now)


@dataclass(frozen=True, slots=True)
class Offer:
    """The place that an entry will be offered. `is_promise`: the entry gets a promise of its type; the resource is one
    that it may be on."""

    entry: Entry
    span: Span
    resources: tuple[Resource, ...]
    is_promise: bool = False


def plan(seen: QueueSnapshot, *, skip: Collection[UUID] = ()) -> Iterator[Offer | None]:
    """Yields the offers that can be made, in queue order, and None wherever the caller may pause for other work.

    Each entry gets the first start in its window, with the best free set. Later entries can't get what an earlier one
    was offered. `skip`: ids of entries to leave out. It can be iterated only once, because it marks offered places as
    taken in `seen`.
    """
    draft = _Draft(seen)
    policy, longest = seen.venue.policy, timedelta.max
    if policy.starts == "any":  # a slot is as long as it is
        longest = timedelta(minutes=policy.duration_minutes_max)
    for entry in seen.entries:
        # A visit that the policy no longer allows to be so long gets no offer, and must not block later entries.
        if entry.id in skip or entry.length > longest:
            continue
        may = seen.allowance(entry)
        found = None if may is not None and may.is_used_up else (yield from draft.place_for(entry, may))
        if found is not None:
            draft.take(found, entry)
            if may is not None:
                may.take(entry.id, found.span)
            is_promise = is_type(entry) and is_bound_late(seen.venue, found.span, now=seen.outlook.now)
            yield Offer(entry, found.span, found.sets[0], is_promise)
        yield None


def groups_of(entry: Entry, venue: Venue) -> Groups:
    """Returns the groups of the guest for which the venue holds something back."""
    if not entry.joined_groups or not venue.policy.held_back:
        return NO_GROUPS
    return frozenset(entry.joined_groups) & held_for_names(venue.policy)


def is_type(entry: Entry) -> bool:
    """Whether the entry waits for any resource of a type."""
    return entry.preferences.group is not None and not entry.resource_ids


@dataclass(slots=True)
class _Wish:
    """What entries that differ only in their window have in common.

    `members`: the sets, as numbers of their resources. `left`: the chunks that may still have something free for
    them. `masks`: by chunk, its `changes` at the time, and the mask of the starts at which something was free then.
    A plan frees nothing, so a bit that is cleared stays cleared. `is_late`: one of a type will do that is bound late,
    so that it may be promised although none is free: each start is tried. `outlook`: what those are shown who wait so.
    """

    outlook: Outlook
    sets: Sets
    members: list[tuple[int, ...]]
    party_size: int
    timetable: Timetable
    left: list[int]
    is_late: bool
    masks: dict[int, tuple[int, int]] = field(default_factory=dict)

    def keep(self, number: int, mask: int) -> None:
        self.masks[number] = self.timetable.chunks[number].changes, mask
        if not mask:
            self.left.remove(number)


@dataclass(slots=True)
class _Draft:
    """What is still free after the entries processed so far.

    `numbers`: of the resources, by id, the groups of the guest for which something is held back, and the size of the
    party, where each guest takes a unit; otherwise 1. `of_leaf`: the numbers of the resources that claim a leaf.
    `outlooks`: by these groups; they share what is free.
    """

    seen: QueueSnapshot
    numbers: dict[tuple[UUID, Groups, int], int] = field(default_factory=dict)
    outlooks: dict[Groups, Outlook] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)
    of_leaf: dict[UUID, list[int]] = field(default_factory=dict)
    timetables: dict[tuple[frozenset[Hours | None], int], Timetable] = field(default_factory=dict)
    wishes: dict[tuple[Demand, int, Groups], _Wish] = field(default_factory=dict)

    def place_for(self, entry: Entry, may: Allowance | None = None) -> Generator[None, None, Found | None]:
        """Returns the first start in its window with a free set. Yields wherever the caller may pause."""
        wish = yield from self._wish_of(entry)
        times = wish.timetable.times
        first, end = bisect_left(times, entry.earliest_at), bisect_right(times, entry.latest_at)
        left = wish.left
        numbers = left[bisect_left(left, first // CHUNK_STARTS) : bisect_left(left, -(-end // CHUNK_STARTS))]
        for number in numbers:
            from_, to = max(first - number * CHUNK_STARTS, 0), min(end - number * CHUNK_STARTS, CHUNK_STARTS)
            window = (1 << to) - (1 << from_) if from_ < to else 0
            found = yield from self._first_in(wish, number, window, may)
            if found is not None:
                return found
        return None

    def _wish_of(self, entry: Entry) -> Generator[None, None, _Wish]:
        demand, groups = entry.demand, groups_of(entry, self.seen.venue)
        wish = self.wishes.get((demand, entry.duration_minutes, groups))
        if wish is None:
            sets, outlook = self.seen.sets[demand], self._outlook(groups)
            if groups:
                sets = in_order(self.seen.venue, outlook.asker, tuple(sets))
            timetable = yield from self._timetable(sets, entry.duration_minutes)
            size = entry.party_size
            members = [tuple([self._number(each, groups, size) for each in resources]) for resources in sets]
            left = list(range(len(timetable.chunks)))
            is_late = is_type(entry) and self.seen.venue.policy.bind_group != "at_once"
            wish = _Wish(outlook, sets, members, size, timetable, left, is_late)
            self.wishes[demand, entry.duration_minutes, groups] = wish
        return wish

    def _outlook(self, groups: Groups) -> Outlook:
        found = self.outlooks.get(groups)
        if found is None:
            seen = self.seen.outlook
            found = replace(seen, asker=replace(seen.asker, groups=groups)) if groups else seen
            self.outlooks[groups] = found
        return found

    def _number(self, resource: Resource, groups: Groups, party_size: int) -> int:
        key = resource.id, groups, party_size if resource.takes == "guests" else 1
        number = self.numbers.setdefault(key, len(self.resources))
        if number == len(self.resources):
            self.resources.append(resource)
            for leaf in resource.claimed:
                self.of_leaf.setdefault(leaf.id, []).append(number)
        return number

    def _timetable(self, sets: Sets, minutes: int) -> Generator[None, None, Timetable]:
        """Returns the starts that are neither too soon nor too far ahead; none if no set would do."""
        able = choices(self.seen.venue, sets)
        key = frozenset(map(step_hours, able)), minutes if sets else 0
        timetable = self.timetables.get(key)
        if timetable is None:
            piece, outlook = self.seen.piece, self.seen.outlook
            times: list[datetime] = []
            for start in starts_in(outlook.venue, sets, piece, minutes=minutes, now=outlook.now):
                times.append(start)
                if len(times) % CHUNK_STARTS == 0:
                    yield None
            chunks = [Chunk(times[n : n + CHUNK_STARTS]) for n in range(0, len(times), CHUNK_STARTS)]
            timetable = self.timetables[key] = Timetable(timedelta(minutes=minutes), times, chunks)
        return timetable

    def _first_in(
        self, wish: _Wish, number: int, window: int, may: Allowance | None
    ) -> Generator[None, None, Found | None]:
        outlook, times, length = wish.outlook, wish.timetable.chunks[number].times, wish.timetable.length
        while candidates := (yield from self._mask(wish, number, window)):
            place = (candidates & -candidates).bit_length() - 1
            start = times[place]
            span = visit(self.seen.venue, start, length)
            if may is not None and not may.allows(span):
                window &= ~(1 << place)  # for this guest alone
                continue
            slot_id = slot_of(self.seen.venue, span)
            about = {"party_size": wish.party_size, "slot_id": slot_id, "is_type": wish.is_late}
            found = outlook.free(wish.sets, span, **about)
            if found is not None:
                return found
            if wish.is_late:
                yield None
            # The limit of arrivals is reached, or a resource with hours of its own has another step.
            wish.keep(number, wish.masks[number][1] & ~(1 << place))
        return None

    def _mask(self, wish: _Wish, number: int, window: int) -> Generator[None, None, int]:
        """Returns the mask of the starts in the window at which all resources of some set are free."""
        chunk = wish.timetable.chunks[number]
        changes, mask = wish.masks.get(number, (-1, chunk.all))
        if changes != chunk.changes and mask & window:
            if not wish.is_late:
                mask &= yield from self._some_set_is_free(wish, chunk)
            wish.keep(number, mask)
        return mask & window

    def _some_set_is_free(self, wish: _Wish, chunk: Chunk) -> Generator[None, None, int]:
        found, free, length = 0, chunk.free, wish.timetable.length
        for members in wish.members:
            both = chunk.all
            for number in members:
                bits = free.get(number)
                if bits is None:
                    bits = _starts(wish, self.resources[number], chunk.times, length)
                    free[number] = bits
                    yield None
                both &= bits
                if not both:
                    break
            found |= both
            if found == chunk.all:
                break
        return found

    def take(self, found: Found, entry: Entry) -> None:
        """Marks the best of the found sets as taken for the span."""
        slot_id = slot_of(self.seen.venue, found.span)
        about = {"party_size": entry.party_size, "slot_id": slot_id, "is_type": is_type(entry)}
        self.seen.outlook.take(found, **about)
        if found.fit is not None:
            self._forget_all()  # others have moved
            return
        for leaf in claimed_by(found.sets[:1]):
            taken = claimed_span(leaf, found.span)
            for number in self.of_leaf[leaf.id]:
                for timetable in self.timetables.values():
                    timetable.forget(number, self.resources[number], taken)

    def _forget_all(self) -> None:
        for timetable in self.timetables.values():
            for chunk in timetable.chunks:
                chunk.changes += 1
                chunk.free.clear()


def _starts(wish: _Wish, resource: Resource, times: list[datetime], length: timedelta) -> int:
    """Returns a bit for each time, set where the resource is free for a visit that starts then."""
    outlook = wish.outlook
    if outlook.venue.stay is None:
        return outlook.starts(resource, times, length, party_size=wish.party_size)
    spans = [visit(outlook.venue, each, length) for each in times]  # nights are not all as long
    return sum(1 << n for n, each in enumerate(spans) if outlook.is_free(resource, each, wish.party_size))
