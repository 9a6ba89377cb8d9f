"""Many starts at once: for each the best set of resources that is free, reading no more of the ledger than that takes.

A bit stands for a start, so that a resource is looked at once for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from holdfast.assigning.choose import distinct
from holdfast.booking.deciding.prepare import bounds, check_time
from holdfast.booking.finding.look import with_buffers_of_wholes
from holdfast.booking.finding.search import Found, Sets
from holdfast.booking.making.usage_store import allowance
from holdfast.booking.rules.held_back import kept_bits
from holdfast.booking.rules.nights import STAY_RULE
from holdfast.booking.rules.pacing import PacingExceeded, check_arrived
from holdfast.booking.said import GUEST, Asker
from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import units_needed
from holdfast.claim.read_free_times import read_free_times
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, Tx, left_s
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.span import Span, bits_between
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.limits import is_paced
from holdfast.pacing.store import read_arrived
from holdfast.place.opening.open_bits import aligned_bits, open_bits
from holdfast.place.opening.opened import choices, hours_of, is_on_step, step_hours
from holdfast.place.opening.spans import Hours
from holdfast.place.venue import Resource, Venue

RESOURCES_FIRST = 16
"""The ledger is read for so many resources at first, then for twice as many each time: mostly the first will do."""
RESOURCE_DAYS_AT_ONCE_MAX = 256
"""And for no more at once than these times the days asked about: nobody can interrupt a statement."""
PART_S = 0.03
"""Pages are looked at for so long before others may go first: a transaction for each would cost as much again."""


class Start(NamedTuple):
    """A start to look at. `goal`: what one free start is enough for: itself, or the day it is on."""

    span: Span
    slot_id: str | None
    goal: Hashable


class _SameLength:
    """Starts of visits of one length, all of them slots or none, in order; `left`: those still to be looked at.
    `kept`: by resource, the starts for which it is held back for others."""

    def __init__(self, venue: Venue, starts: Sequence[Start], *, party_size: int) -> None:
        self.venue, self.starts, self.party_size = venue, starts, party_size
        self.times = [each.span.start for each in starts]
        self.length = starts[0].span.duration
        self.is_slots = starts[0].slot_id is not None
        self.left = (1 << len(starts)) - 1
        self.of_goal: dict[Hashable, int] = {}
        first = 0
        for goal, run in groupby(starts, key=attrgetter("goal")):
            end = first + sum(1 for _ in run)
            self.of_goal[goal] = self.of_goal.get(goal, 0) | bits_between(first, end)
            first = end
        self.kept: dict[UUID, int] = {}
        self._by_resource: dict[UUID, int] = {}
        self._open: dict[Hours | None, int] = {}
        self._aligned: dict[Hours | None, int] = {}

    def free(self, resources: Sequence[Resource], times: dict[UUID, FreeTimes]) -> int:
        """The bits of those left for which all of the resources are free."""
        found = self.left
        for each in resources:
            if found:
                found &= self._free(each, times)
        if found and self.venue.has_own_hours and not self.is_slots:
            own = step_hours(resources)
            if own not in self._aligned:
                self._aligned[own] = on_step_bits(self.venue, resources, self.starts, self.times)
            found &= self._aligned[own]
        return found

    def may_be_free(self, resource: Resource, times: dict[UUID, FreeTimes]) -> bool:
        """Whether the resource is free for any of those left: no set with one that is not needs looking at."""
        return self.left & self._free(resource, times) != 0

    def _free(self, resource: Resource, times: dict[UUID, FreeTimes]) -> int:
        found = self._by_resource.get(resource.id)
        if found is None:
            found = (1 << len(self.times)) - 1 & ~self.kept.get(resource.id, 0)
            for leaf in resource.claimed:
                units = units_needed(resource, leaf, self.party_size)
                found &= times[leaf.id].starts(self.times, self.length, leaf=leaf, units=units)
            for own in hours_of((resource,)):
                if own not in self._open:
                    self._open[own] = open_bits(self.venue, own, self.times, self.length)
                found &= self._open[own]
            self._by_resource[resource.id] = found
        return found


def on_step_bits(
    venue: Venue, resources: Sequence[Resource], starts: Sequence[Start], times: Sequence[datetime]
) -> int:
    """Returns a bit for each start, the lowest for the first: set if a booking of these resources that is no slot may
    start then. `times`: of the starts, which are in order."""
    found = aligned_bits(venue, step_hours(resources), times)
    for place, each in enumerate(starts if venue.slots else ()):
        if not found >> place & 1 and is_on_step(venue, resources, each.span):
            found |= 1 << place
    return found


class Scan:
    """Looks for free starts, page by page of the ledger; others may go first between two pages.

    `found`: for each goal, as far as it has looked, a start that is free by the rules and the ledger, with the best
    set it is free on. Goals without one are left out.

    1. Read the ledger for the next resources of the sets, best sets first, and look for what is free on these sets.
    2. Again, until every goal has a start or no sets are left.
    """

    def __init__(
        self,
        venue: Venue,
        sets: Sets,
        starts: Sequence[Start],
        *,
        party_size: int,
        asker: Asker,
        but: UUID | None = None,
    ) -> None:
        """`starts`: allowed by the rules (`allowed`). `but`: a booking that does not count."""
        self._but, self._asker = but, asker
        self.found: list[tuple[Start, Found]] = []
        self._venue = venue
        self._groups = groups = _groups(venue, starts, party_size=party_size)
        self._known: dict[UUID, FreeTimes] = {}
        self._looked_at = set[UUID]()
        self._full = set[UUID]()
        self._pages: Iterator[list[tuple[Resource, ...]]] = iter(())
        if groups:
            times = [each.times[0] for each in groups], [each.times[-1] + each.length for each in groups]
            self._around = with_buffers_of_wholes(venue, Span(min(times[0]), max(times[1])))
            self._pages = _pages(sets, days=self._around.duration // timedelta(days=1) + 1)
        self._page = next(self._pages, None)

    @property
    def is_over(self) -> bool:
        """Whether every goal has a start, or all sets have been looked at."""
        return self._page is None

    def left(self) -> list[Start]:
        """The starts whose goals have none so far."""
        return [
            start
            for group in self._groups
            for place, start in enumerate(group.starts)
            if group.left >> place & 1
        ]

    async def look_on(self, tx: Tx) -> None:
        """Looks at the next pages, for PART_S or a little longer. Raises Overloaded when it takes longer than a request
        has."""
        began = time.perf_counter()
        await self.look_at_page(tx)
        while not self.is_over and time.perf_counter() - began < PART_S:
            await self.look_at_page(tx)

    async def look_at_page(self, tx: Tx) -> None:
        """Looks at the next page. Raises Overloaded when it takes longer than a request has."""
        if self._page is not None:
            await self._look(tx, self._page)
            self._page = next(self._pages, None) if any(each.left for each in self._groups) else None

    async def _look(self, tx: Tx, page: list[tuple[Resource, ...]]) -> None:
        slices = Slices()
        resources = [each for each in distinct(page) if each.id not in self._looked_at]
        self._looked_at.update(each.id for each in resources)
        new = {leaf.id: leaf for each in resources for leaf in each.claimed if leaf.id not in self._known}
        if new:
            self._known |= await read_free_times(
                tx, self._venue.tenant_id, list(new.values()), self._around, but=self._but
            )
        for each in self._groups if self._venue.policy.held_back else ():
            keeping = (self._venue, self._asker)
            each.kept |= {one.id: kept_bits(*keeping, one, each.times, now=tx.now) for one in resources}
        for resource in resources:
            await share(slices)
            if not any(each.may_be_free(resource, self._known) for each in self._groups):
                self._full.add(resource.id)
        for resources in page:
            if all(each.id not in self._full for each in resources):
                await share(slices)
                self.found += _taken(self._groups, resources, self._known)


async def share(slices: Slices) -> None:
    """Lets others go first now and then. Raises Overloaded when the request's time is over."""
    if await slices.rest() and left_s(REQUEST_DEADLINE_S) <= 0:
        raise Overloaded("There is too much to look through. Ask for a shorter time.")


def _taken(
    groups: Sequence[_SameLength], resources: tuple[Resource, ...], known: dict[UUID, FreeTimes]
) -> Iterator[tuple[Start, Found]]:
    """The goals that are reached with that set; their other starts need no looking at any more."""
    for group in groups:
        bits = group.free(resources, known) if group.left else 0
        while bits:
            start = group.starts[(bits & -bits).bit_length() - 1]
            yield start, Found(start.span, (resources,))
            for each in groups:
                each.left &= ~each.of_goal.get(start.goal, 0)
            bits &= group.left


def _pages(sets: Sets, *, days: int) -> Iterator[list[tuple[Resource, ...]]]:
    """The sets in parts, each with so many resources more that are to be read of the ledger."""
    size, most = RESOURCES_FIRST, max(RESOURCES_FIRST, RESOURCE_DAYS_AT_ONCE_MAX // days)
    page: list[tuple[Resource, ...]] = []
    seen, new = set[UUID](), 0
    for resources in sets:
        page.append(resources)
        fresh = {each.id for each in resources} - seen
        seen |= fresh
        new += len(fresh)
        if new >= size:
            yield page
            page, new, size = [], 0, min(size * 2, most)
    if page:
        yield page


async def allowed(
    tx: Tx,
    venue: Venue,
    sets: Sets,
    starts: Sequence[Start],
    *,
    party_size: int,
    asker: Asker = GUEST,
    but: UUID | None = None,
    any_stay: bool = False,
) -> list[Start]:
    """The starts that notice, the limits on arrivals and fair use allow, and for stays the rules about nights. Hours
    and steps are those of the sets: `Scan` looks at them. `but`: a booking that does not count. `any_stay`: whatever
    the rules about nights say. Raises Overloaded when it takes longer than a request has."""
    earliest, latest = bounds(venue, tx.now)
    near = [each for each in starts if venue.stay or earliest <= each.span.start <= latest]
    if not near or (venue.stay is None and not is_paced(venue) and not venue.policy.fair_use):
        return near
    able = choices(venue, sets)
    around = Span(min(each.span.start for each in near), max(each.span.end for each in near))
    may = await allowance(tx, venue, asker, around, but=but) if venue.policy.fair_use else None
    arrived = await read_arrived(tx, venue, around, but=but)
    slices, found = Slices(), list[Start]()
    for each in near:
        await share(slices)
        if (
            _is_sold(venue, able, each, asker, now=tx.now, any_stay=any_stay)
            and _may_arrive(venue, each, arrived, asker, party_size=party_size)
            and (may is None or may.allows(each.span))
        ):
            found.append(each)
    return found


def _is_sold(venue: Venue, able: Sets, start: Start, asker: Asker, *, now: datetime, any_stay: bool) -> bool:
    if venue.stay is None:
        return True
    try:
        check_time(venue, (), start.span, now=now, among=able, is_staff=asker.is_staff)
    except HoldfastError as error:
        return any_stay and error.fields.get("rule") == STAY_RULE
    return True


def _may_arrive(venue: Venue, start: Start, arrived: Arrived, asker: Asker, *, party_size: int) -> bool:
    at, slot_id = start.span.start, start.slot_id
    try:
        check_arrived(venue, arrived, at, slot_id=slot_id, source=asker.source, party_size=party_size)
    except PacingExceeded:
        return False
    return True


def _groups(venue: Venue, starts: Sequence[Start], *, party_size: int) -> list[_SameLength]:
    by_length: dict[tuple[timedelta, bool], list[Start]] = {}
    for each in sorted(starts, key=lambda each: each.span):
        by_length.setdefault((each.span.duration, each.slot_id is not None), []).append(each)
    return [_SameLength(venue, each, party_size=party_size) for each in by_length.values()]
