"""Which bookings a change to a venue makes unfit: it would not take them any more. They stay as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.booking.fitting.crowd import Crowd, leaf_rooms
from holdfast.booking.fitting.promised import changed_groups
from holdfast.booking.fitting.quotas import Quotas, binds_otherwise, read_quotas
from holdfast.booking.fitting.reasons import GONE, Wrong, not_available
from holdfast.booking.fitting.standing import Standing, read_standing
from holdfast.booking.fitting.wrong import wrongs
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.slices import Slices, giving_way
from holdfast.kernel.db.tx import request_deadline
from holdfast.kernel.errors import Overloaded
from holdfast.pacing.limits import is_paced
from holdfast.place.venue import Venue

LISTED_MAX = 100
READ_AT_ONCE = 1000
BOOKINGS_MAX = 100_000
"""How many bookings are looked at, the next ones first."""
AT_ONCE_MAX = 2
DEADLINE_TIMES = 3
"""Looking may take this many times as long as a request: it holds nothing that others wait for."""


@dataclass(frozen=True, slots=True)
class NoLongerFit:
    """The bookings that no longer fit, in order of their start, at most LISTED_MAX, as JSON. `total`: how many they
    are in all; None if there was no time to look at all bookings."""

    listed: list[dict[str, Any]]
    total: int | None


ALL_FIT = NoLongerFit([], 0)


class Unfit:
    """Finds the bookings that no longer fit, for a few changes at a time, while giving way to bookings."""

    def __init__(self, db: Database, is_busy: Callable[[], bool]) -> None:
        self._db = db
        self._is_busy = is_busy
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def lost(self, before: Venue, after: Venue) -> NoLongerFit:
        """Returns the bookings that fit the venue before the change and not after it. Takes no locks.

        Bookings that were against the same rule before, such as those for which staff overruled it, are not among them.
        """
        with request_deadline(DEADLINE_TIMES * self._db.deadline_s), giving_way(self._is_busy):
            finding = Finding(before, after)
            try:
                async with asyncio.timeout(DEADLINE_TIMES * self._db.deadline_s), self._turns:
                    await finding.look(self._read, self._quotas)
            except (Overloaded, TimeoutError):
                return finding.result(is_whole=False)
        return finding.result(is_whole=finding.seen < BOOKINGS_MAX)

    async def _read(self, venue: Venue, after: Standing | None) -> list[Standing]:
        call = self._db.call(SYSTEM, tenants=[venue.tenant_id])
        return await call.run(read_standing, venue, after, limit=READ_AT_ONCE)

    async def _quotas(self, quotas: Quotas, page: Sequence[Standing]) -> None:
        call = self._db.call(SYSTEM, tenants=[quotas.before.tenant_id])
        quotas.learn(*await call.run(read_quotas, quotas, page))


@dataclass(slots=True)
class Finding:
    """The search for one change. `found`: by id of the booking."""

    before: Venue
    after: Venue
    seen: int = 0
    found: dict[UUID, tuple[Standing, Wrong]] = field(default_factory=dict)
    _was: set[tuple[UUID, str]] = field(default_factory=set)
    _crowded: dict[UUID, tuple[Standing, Wrong]] = field(default_factory=dict)

    async def look(
        self,
        read: Callable[[Venue, Standing | None], Awaitable[list[Standing]]],
        read_quotas: Callable[[Quotas, Sequence[Standing]], Awaitable[None]],
    ) -> None:
        """Looks at the bookings, a page at a time."""
        before, after = self.before, self.after
        leaves, groups = set(_closer(before, after)), changed_groups(before, after)
        is_paced = _paces_otherwise(before, after)
        old, new = (Crowd(each, leaves, groups=groups, is_paced=is_paced) for each in (before, after))
        quotas = Quotas(before, after) if binds_otherwise(before, after) else None
        slices, last = Slices(), None
        while self.seen < BOOKINGS_MAX and (page := await read(self.before, last)):
            if quotas is not None:
                await read_quotas(quotas, page)
            for each in page:
                self._judge(each, old, new)
                wrong = None if quotas is None else quotas.newly_over(each)
                if wrong is not None:
                    self.found.setdefault(each.id, (each, wrong))
                await slices.rest()
            self.seen, last = self.seen + len(page), page[-1]

    def _judge(self, booked: Standing, before: Crowd, after: Crowd) -> None:
        if now_wrong := list(wrongs(booked, self.after)):
            was = {each.key for each in wrongs(booked, self.before)}
            for each in now_wrong:
                if each.key not in was:
                    self.found[booked.id] = booked, self._named(each, booked)
                    break
        self._was |= {(each.id, wrong.reason) for each, wrong in before.add(booked)}
        for each, wrong in after.add(booked):
            self._crowded.setdefault(each.id, (each, wrong))

    def _named(self, wrong: Wrong, booked: Standing) -> Wrong:
        """Of a resource that was removed only the venue before knows the name and kind."""
        known = self.before.resources
        gone = [
            known[each] for each in booked.resource_ids if each in known and each not in self.after.resources
        ]
        if wrong.reason != GONE:
            return wrong
        if booked.is_promised:
            kind = next((each for each in known.values() if each.group == booked.group), None)
            return wrong if kind is None else wrong._replace(reason=not_available(kind))
        if not gone:
            return wrong
        names = ", ".join(each.name for each in gone)
        return Wrong(not_available(gone[0]), lambda: f"{self.after.name} no longer has {names}.")

    def result(self, *, is_whole: bool) -> NoLongerFit:
        """Returns what was found. `is_whole`: all bookings were looked at."""
        crowded = {
            id_: (booked, wrong)
            for id_, (booked, wrong) in self._crowded.items()
            if (id_, wrong.reason) not in self._was
        }
        found = sorted((crowded | self.found).values(), key=lambda each: each[0].order)
        listed = [_json(booked, wrong) for booked, wrong in found[:LISTED_MAX]]
        return NoLongerFit(listed, len(found) if is_whole else None)


def _closer(before: Venue, after: Venue) -> Iterator[UUID]:
    """Yields the resources whose bookings may be too many or too close now, and were not before."""
    old, new = leaf_rooms(before), leaf_rooms(after)
    return (id_ for id_ in old.keys() & new.keys() if old[id_] != new[id_])


def _paces_otherwise(before: Venue, after: Venue) -> bool:
    """Whether more might arrive in some part of the day than may, where no more did before."""
    if not is_paced(after):
        return False
    rules = [
        (each.policy.pacing, each.policy.pacing_covers_max, each.hours, each.timezone)
        for each in (before, after)
    ]
    return rules[0] != rules[1]


def _json(booked: Standing, wrong: Wrong) -> dict[str, Any]:
    zone = ZoneInfo(booked.timezone)
    return {
        "id": booked.id,
        "booking_reference": booked.reference,
        "start": booked.span.start.astimezone(zone),
        "end": booked.span.end.astimezone(zone),
        "resource_ids": booked.resource_ids,
        "party_size": booked.party_size,
        "reason": wrong.reason,
        "detail": wrong.detail(),
    }
