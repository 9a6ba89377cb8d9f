"""What guests may have at a time: open bookings, hours a week, days ahead, visits at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.booking.rules.fair_use_words import Excess, said
from holdfast.booking.said import Asker
from holdfast.booking.states import TERMINAL
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.kernel.span import Span
from holdfast.place.opening.clock import instant_of, midnight_of, to_wall
from holdfast.place.policies.fair_use import FairUseRule, Per
from holdfast.place.policy import Policy
from holdfast.place.venue import Venue

A_MINUTE = timedelta(minutes=1)


class QuotaExceeded(HoldfastError):
    """The guest, the group or the address already has what the venue allows.

    Fields `rule_exceeded`, `bound` (the name of the bound in it), `used` and, where a time is known from which on it
    could be booked, `retry_after_seconds`.
    """

    kind = Kind.TOO_MANY
    code = "QUOTA_EXCEEDED"

    @property
    def passes_by_itself(self) -> bool:
        """Most bounds ask for another booking, or another time."""
        return "retry_after_seconds" in self.fields


class Subject(NamedTuple):
    """Whose bookings are counted together: those of a guest, a group or an address."""

    per: Per
    name: str


class Quota(NamedTuple):
    """A rule, and whose bookings it counts."""

    subject: Subject
    rule: FairUseRule


class CountedBooking(NamedTuple):
    """A booking as it is counted. `is_open`: it has not ended. `frees_at`: it ends or expires. `things`: how many it
    counts for: the items of an order."""

    span: Span
    is_open: bool
    frees_at: datetime
    things: int = 1

    @classmethod
    def of(cls, booking: Booking) -> CountedBooking:
        things = sum(not each.is_cancelled for each in booking.items)
        is_open, ends = booking.status not in TERMINAL, booking.expires_at or booking.end_at
        return cls(booking.span, is_open, ends, max(things, 1))

    @property
    def minutes(self) -> int:
        """How long it lasts, of all its things together."""
        return self.span.duration // A_MINUTE * self.things


@dataclass(slots=True)
class Usage:
    """What is booked, by venue, subject and booking. `changed`: bookings that are to be changed."""

    counted: dict[tuple[UUID, Subject], dict[UUID, CountedBooking]] = field(default_factory=dict)
    changed: dict[UUID, CountedBooking] = field(default_factory=dict)

    def of(self, venue_id: UUID, subject: Subject) -> dict[UUID, CountedBooking]:
        return self.counted.get((venue_id, subject), {})

    def put(
        self, venue_id: UUID, subjects: Iterable[Subject], booking_id: UUID, counted: CountedBooking
    ) -> None:
        """Counts the booking, or counts it where it is now."""
        for each in subjects:
            self.counted.setdefault((venue_id, each), {})[booking_id] = counted

    def add(self, booking: Booking) -> None:
        """Counts a booking that is about to be written."""
        subjects = subjects_of(booking.guest.id, booking.booked_groups, booking.booked_ip)
        self.put(booking.venue_id, subjects, booking.id, CountedBooking.of(booking))


def subjects_of(guest_id: str | None, groups: Iterable[str], ip: str | None) -> list[Subject]:
    """Returns what a booking of that guest, these groups and that address counts for."""
    found = [Subject("group", each) for each in sorted(groups)]
    if guest_id is not None:
        found.insert(0, Subject("guest", guest_id))
    return found if ip is None else [*found, Subject("address", ip)]


def quotas_of(venue: Venue, asker: Asker) -> list[Quota]:
    """Returns what binds the asker: for each of guest, group and address, the first rule that matches."""
    found: list[Quota] = []
    first: dict[Per, FairUseRule] = {}
    for rule in venue.policy.fair_use:
        if rule.per not in first and rule.matches(asker.groups):
            first[rule.per] = rule
    for each in subjects_of(asker.guest_id, asker.groups, asker.ip):
        rule = first.get(each.per)
        if rule is not None and (each.per != "group" or each.name in (rule.groups or ())):
            found.append(Quota(each, rule))
    return found


def counted_for(policy: Policy, asker: Asker) -> dict[str, Any]:
    """Returns the columns of a new booking that say what it counts for, beside its guest: only what some rule needs. Of
    the groups, those that a rule names: they also say by which rule the bookings of the guest are judged."""
    per_address = any(each.per == "address" and each.counts for each in policy.fair_use)
    return {
        "booked_ip": asker.ip if per_address else None,
        "booked_groups": tuple(sorted(asker.groups & named_groups(policy))),
    }


def named_groups(policy: Policy) -> frozenset[str]:
    """Returns the groups that rules name."""
    return frozenset(group for each in policy.fair_use for group in each.groups or ())


@dataclass(slots=True)
class Allowance:
    """What one asker may still book at a venue. `but`: a booking that is to be changed: it does not count against
    itself, and what does not get worse is not refused."""

    venue: Venue
    quotas: Sequence[Quota]
    usage: Usage
    now: datetime
    is_staff: bool = False
    but: UUID | None = None

    @classmethod
    def of(
        cls, venue: Venue, asker: Asker, usage: Usage, *, now: datetime, but: UUID | None = None
    ) -> Allowance:
        return cls(venue, quotas_of(venue, asker), usage, now, asker.is_staff, but)

    def check(self, span: Span, *, things: int = 1) -> None:
        """Raises QuotaExceeded if a booking at that time would exceed a bound. `things`: the items of an order."""
        for quota in self.quotas:
            if (excess := self._excess(quota, span, things)) is not None:
                raise self._refusal(quota, excess)

    def allows(self, span: Span) -> bool:
        return all(self._excess(each, span, 1) is None for each in self.quotas)

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more may be booked, at whatever time."""
        return any(self._open(each, self._others(each.subject), 1) is not None for each in self.quotas)

    def take(self, booking_id: UUID, span: Span) -> None:
        """Counts a booking that the asker is about to get."""
        subjects = [each.subject for each in self.quotas]
        self.usage.put(self.venue.id, subjects, booking_id, CountedBooking(span, True, span.end))

    def _refusal(self, quota: Quota, excess: Excess) -> QuotaExceeded:
        fields: dict[str, Any] = {"bound": excess.bound, "used": excess.used}
        if excess.until is not None:
            fields["retry_after_seconds"] = max(int((excess.until - self.now).total_seconds()) + 1, 1)
        rule = quota.rule.model_dump(mode="json", exclude_none=True)
        detail = said(excess, quota.subject.per, quota.subject.name, self.venue.tz, is_staff=self.is_staff)
        return QuotaExceeded(detail, rule_exceeded=rule, **fields)

    def _others(self, subject: Subject) -> list[CountedBooking]:
        there = self.usage.of(self.venue.id, subject)
        return [each for id_, each in there.items() if id_ != self.but]

    def _excess(self, quota: Quota, span: Span, things: int) -> Excess | None:
        before = None if self.but is None else self.usage.changed.get(self.but)
        others, new = self._others(quota.subject), CountedBooking(span, True, span.end, things)
        return (
            (self._open(quota, others, things) if self.but is None or _grows(before, things) else None)
            or self._days_ahead(quota.rule, span, before)
            or self._hours(quota.rule, others, new, before)
            or _at_once(quota.rule, others, new, before)
        )

    def _open(self, quota: Quota, others: Sequence[CountedBooking], things: int) -> Excess | None:
        most = quota.rule.open_bookings_max
        there = [each for each in others if each.is_open and each.span.end > self.now]
        used = sum(each.things for each in there)
        if most is None or used + things <= most:
            return None
        until, left = None, used
        if quota.subject.per == "guest":  # when others' bookings end is not for this guest to know
            for each in sorted(there, key=lambda each: each.frees_at):
                left -= each.things
                if left + things <= most:
                    until = each.frees_at
                    break
        return Excess("open_bookings_max", most, used, asked=things, until=until)

    def _days_ahead(self, rule: FairUseRule, span: Span, before: CountedBooking | None) -> Excess | None:
        most = rule.days_ahead_max
        day, today = self._day(span.start), self._day(self.now)
        ahead = (day - today).days
        if most is None or ahead <= most or (before is not None and day <= self._day(before.span.start)):
            return None
        opens_at = instant_of(midnight_of(day - timedelta(days=most)), self.venue.tz)
        return Excess("days_ahead_max", most, ahead, until=opens_at, day=today + timedelta(days=most))

    def _hours(
        self,
        rule: FairUseRule,
        others: Sequence[CountedBooking],
        new: CountedBooking,
        before: CountedBooking | None,
    ) -> Excess | None:
        if rule.hours_per_week_max is None:
            return None
        monday = self._monday(new.span.start)
        if before is not None and self._monday(before.span.start) == monday and new.minutes <= before.minutes:
            return None
        week = Span(*(instant_of(midnight_of(monday + timedelta(days=n)), self.venue.tz) for n in (0, 7)))
        used = sum(each.minutes for each in others if week.holds(each.span.start))
        if used + new.minutes <= rule.hours_per_week_max * 60:
            return None
        most, hours, asked = float(rule.hours_per_week_max), round(used / 60, 2), round(new.minutes / 60, 2)
        return Excess("hours_per_week_max", most, hours, asked=asked, day=monday)

    def _day(self, instant: datetime) -> date:
        return to_wall(instant, self.venue.tz).date()

    def _monday(self, instant: datetime) -> date:
        day = self._day(instant)
        return day - timedelta(days=day.weekday())


def _grows(before: CountedBooking | None, things: int) -> bool:
    return before is not None and things > before.things


def _at_once(
    rule: FairUseRule, others: Sequence[CountedBooking], new: CountedBooking, before: CountedBooking | None
) -> Excess | None:
    most, span = rule.at_once_max, new.span
    if most is None:
        return None
    is_within = before is not None and before.span.start <= span.start and span.end <= before.span.end
    if is_within and not _grows(before, new.things):
        return None
    there = [each for each in others if each.is_open and each.span.overlaps(span)]
    moments = {max(each.span.start, span.start) for each in there}
    used = max((sum(each.things for each in there if each.span.holds(at)) for at in moments), default=0)
    return Excess("at_once_max", most, used, asked=new.things) if used + new.things > most else None
