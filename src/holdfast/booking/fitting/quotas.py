"""Which bookings are more than their guests, groups and addresses may have by new rules of fair use."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from itertools import groupby
from uuid import UUID

from holdfast.booking.fitting.reasons import Wrong
from holdfast.booking.fitting.standing import Standing
from holdfast.booking.making.usage_store import FOR_EVER, read_counted
from holdfast.booking.rules.fair_use import CountedBooking, Quota, QuotaExceeded, Subject, Usage, quotas_of
from holdfast.booking.said import Asker
from holdfast.claim.model import BEGINNING
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.opening.clock import to_wall
from holdfast.place.venue import Venue

Counted = Mapping[UUID, CountedBooking]
WHOSE = {"guest": "This guest", "address": "This network address"}


def binds_otherwise(before: Venue, after: Venue) -> bool:
    """Returns whether somebody might have more than they may after the change, and did not before."""
    return bool(after.policy.fair_use) and before.policy.fair_use != after.policy.fair_use


async def read_quotas(tx: Tx, quotas: Quotas, page: Sequence[Standing]) -> tuple[Usage, datetime]:
    """Returns what the guests, groups and addresses of these bookings have, as far as it is not known yet; and when."""
    return await read_counted(tx, quotas.unknown(page)), tx.now


def _asker(booked: Standing) -> Asker:
    """Whoever booked, as far as it was stored: the groups are those that a rule named at the time."""
    return Asker(False, booked.source, booked.guest_id, frozenset(booked.groups), booked.ip)


@dataclass(slots=True)
class Quotas:
    """What guests, groups and addresses have too much of, at a venue before and after a change. Bookings are judged a
    page at a time, in order of their start."""

    before: Venue
    after: Venue
    usage: Usage = field(default_factory=Usage)
    now: datetime = BEGINNING
    _known: dict[tuple[int, Quota], dict[UUID, list[Wrong]]] = field(default_factory=dict)

    def unknown(self, page: Sequence[Standing]) -> Iterator[tuple[Venue, Quota, Span]]:
        """Yields what has to be read before these bookings are judged.

        What counts for a quota is read once, for all bookings to come: those of later pages start later."""
        for booked in page:
            for venue in (self.before, self.after):
                for quota in quotas_of(venue, _asker(booked)):
                    if (id(venue), quota) not in self._known:
                        yield venue, quota, Span(booked.span.start, FOR_EVER)

    def learn(self, usage: Usage, now: datetime) -> None:
        """Takes what was read for the next page."""
        self.usage, self.now = usage, now

    def newly_over(self, booked: Standing) -> Wrong | None:
        """Returns the bound that the booking exceeds, with the others that count with it, and did not exceed before;
        None if there is none. Walk-ins count, and are against no rule."""
        if booked.source == "walk_in":
            return None
        was = {each.key for each in self._over(self.before, booked)}
        return next((each for each in self._over(self.after, booked) if each.key not in was), None)

    def _over(self, venue: Venue, booked: Standing) -> Iterator[Wrong]:
        for quota in quotas_of(venue, _asker(booked)):
            key = id(venue), quota
            if key not in self._known:
                counted = self.usage.of(venue.id, quota.subject)
                self._known[key] = _too_many(quota, counted, venue, self.now) if quota.rule.counts else {}
            yield from self._known[key].get(booked.id, ())
            most = quota.rule.days_ahead_max
            ahead = (_day(booked.span.start, venue) - _day(self.now, venue)).days
            if most is not None and ahead > most:
                said = f"It is {ahead} days ahead; bookings may be at most {most}."
                yield _wrong(quota, "days_ahead_max", lambda said=said: said)


def _too_many(quota: Quota, counted: Counted, venue: Venue, now: datetime) -> dict[UUID, list[Wrong]]:
    """Returns the bookings of one subject that are too many together, with the bounds that they exceed."""
    found: dict[UUID, list[Wrong]] = {}
    coming = {id_: each for id_, each in counted.items() if each.is_open and each.span.end > now}
    for ids, wrong in (*_open(quota, coming), *_weeks(quota, counted, venue), *_at_once(quota, coming)):
        for id_ in ids:
            found.setdefault(id_, []).append(wrong)
    return found


Over = Iterator[tuple[Sequence[UUID], Wrong]]


def _open(quota: Quota, coming: Counted) -> Over:
    most, has = quota.rule.open_bookings_max, sum(each.things for each in coming.values())
    if most is not None and has > most:
        said = f"{_whose(quota.subject)} has {has} open bookings here, and may have {most} at a time."
        yield [*coming], _wrong(quota, "open_bookings_max", lambda: said)


def _weeks(quota: Quota, counted: Counted, venue: Venue) -> Over:
    most = quota.rule.hours_per_week_max
    if most is None:
        return
    weeks: dict[date, list[UUID]] = {}
    for id_, each in counted.items():
        day = _day(each.span.start, venue)
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(id_)
    for monday, ids in weeks.items():
        minutes = sum(counted[id_].minutes for id_ in ids)
        if minutes > most * 60:
            has = f"{round(minutes / 60, 2):g} hours here in the week from {monday}"
            said = f"{_whose(quota.subject)} has {has}, and may have {float(most):g}."
            yield ids, _wrong(quota, "hours_per_week_max", lambda said=said: said)


def _at_once(quota: Quota, coming: Counted) -> Over:
    most = quota.rule.at_once_max
    if most is None:
        return
    too_many = _too_many_at(coming.values(), most)
    starts = [at for at, _ in too_many]
    for id_, each in coming.items():
        number = bisect_left(starts, each.span.start)
        if number < len(starts) and starts[number] < each.span.end:
            has = too_many[number][1]
            said = (
                f"{_whose(quota.subject)} has {has} bookings here at that time, and may have {most} at once."
            )
            yield [id_], _wrong(quota, "at_once_max", lambda said=said: said)


def _too_many_at(counted: Iterable[CountedBooking], most: int) -> list[tuple[datetime, int]]:
    """Returns the instants at which a booking begins and there are more than `most` then, in order, with how many."""
    found: list[tuple[datetime, int]] = []
    ends: list[tuple[datetime, int]] = []
    has = 0
    for start, of_start in groupby(sorted(counted, key=_start), key=_start):
        for each in of_start:
            heappush(ends, (each.span.end, each.things))
            has += each.things
        while ends[0][0] <= start:
            has -= heappop(ends)[1]
        if has > most:
            found.append((start, has))
    return found


def _start(counted: CountedBooking) -> datetime:
    return counted.span.start


def _whose(subject: Subject) -> str:
    return WHOSE.get(subject.per) or f"The group {subject.name}"


def _wrong(quota: Quota, bound: str, detail: Callable[[], str]) -> Wrong:
    return Wrong(QuotaExceeded.code, detail, f"{bound} per {quota.subject.per}")


def _day(instant: datetime, venue: Venue) -> date:
    return to_wall(instant, venue.tz).date()
