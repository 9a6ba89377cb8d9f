"""Joins the waitlist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.assigning.choose import candidate_sets
from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.deciding.prepare import check_time, usual_minutes
from holdfast.booking.finding.search import Sets, visit
from holdfast.booking.model import Guest
from holdfast.booking.rules.fair_use import named_groups
from holdfast.booking.rules.length import check_length
from holdfast.booking.rules.nights import night_under_way
from holdfast.booking.rules.sittings import slots_near
from holdfast.booking.rules.times import TooFarAhead
from holdfast.booking.wanted import NOBODY
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind
from holdfast.kernel.span import Span
from holdfast.place.opening.opened import choices
from holdfast.place.opening.stay import arrival_of, check_in_on
from holdfast.place.policies.withhold import held_for_names
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.lists import EntryView
from holdfast.waitlist.model import ENTRIES_MAX, Entry, EntryStatus
from holdfast.waitlist.timetable import starts_in

WINDOW_DAYS_MAX = 31
ENTRIES_PER_GUEST_MAX = 10
ENTRIES_PER_ADDRESS_MAX = 20


class WaitlistClosed(HoldfastError):
    """This venue has no waitlist: book a time that is free."""

    kind = Kind.CONFLICT
    code = "WAITLIST_CLOSED"


class WaitlistFull(HoldfastError):
    """The waitlist of this venue is full: try again later."""

    # Field `entries_max`. The docstring is what the guest reads.
    kind = Kind.CONFLICT
    code = "WAITLIST_FULL"


class TooManyEntries(HoldfastError):
    """This guest or address already has as many entries on this waitlist as are allowed."""

    # Field `entries_max`.
    kind = Kind.TOO_MANY
    code = "TOO_MANY_ENTRIES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What somebody wants to wait for. `duration_minutes`: if None, the policy's for the party size. `ip`: the
    address whose quota it counts against."""

    id: UUID
    party_size: int
    earliest: datetime
    latest: datetime
    duration_minutes: int | None = None
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING
    guest: Guest = NOBODY
    ip: str | None = None


async def join(tx: Tx, asked: Joining, *, venue: Venue) -> EntryView:
    """Adds an entry at the end of the venue's queue and returns it.

    Runs under the venue's lock, so that the queue is in the order of commits. Raises WaitlistClosed, WaitlistFull,
    TooManyEntries, InvalidRequest, and the refusal of the venue's rules if they allow no start in the window.
    """
    entry = _entry(tx, asked, venue)
    _check(venue, entry, now=tx.now)
    if asked.duration_minutes is not None and venue.stay is None:
        check_length(
            entry.length,
            venue.policy,
            usual=usual_minutes(venue.policy, entry.party_size),
            is_staff=tx.actor.is_staff,
        )
    await _check_room(tx, venue, entry)
    entry = await store.insert(tx, entry)
    return EntryView(entry, await queue_store.position(tx, entry), None)


def _entry(tx: Tx, asked: Joining, venue: Venue) -> Entry:
    return Entry(
        tenant_id=venue.tenant_id,
        id=asked.id,
        venue_id=venue.id,
        status=EntryStatus.WAITING,
        version=1,
        party_size=asked.party_size,
        earliest_at=asked.earliest,
        latest_at=asked.latest,
        duration_minutes=asked.duration_minutes or _minutes(asked, venue),
        resource_ids=asked.resource_ids,
        preferences=asked.preferences,
        guest=asked.guest,
        created_by=str(tx.actor),
        created_at=tx.now,
        updated_at=tx.now,
        joined_ip=asked.ip,
        joined_groups=tuple(sorted(tx.actor.groups & _named(venue))),
    )


def _named(venue: Venue) -> frozenset[str]:
    """Returns the groups that offers depend on: for them something is held back, or they have rules of their own."""
    return named_groups(venue.policy) | held_for_names(venue.policy)


def _minutes(asked: Joining, venue: Venue) -> int:
    """Returns the usual length or, where guests book slots, that of the first slot in the window."""
    if venue.policy.starts == "slots":
        for each in slots_near(venue, Span(asked.earliest, asked.latest)):
            if asked.earliest <= each.span.start <= asked.latest:
                return int(each.span.duration / timedelta(minutes=1))
    return usual_minutes(venue.policy, asked.party_size)


def _check(venue: Venue, entry: Entry, *, now: datetime) -> None:
    if not venue.policy.waitlist_enabled:
        raise WaitlistClosed
    width, latest = entry.latest_at - entry.earliest_at, entry.latest_at.isoformat()
    if width < timedelta():
        earliest = entry.earliest_at.isoformat()
        raise InvalidRequest.of("latest", latest, f"must not be before earliest, {earliest}")
    if width > timedelta(days=WINDOW_DAYS_MAX):
        raise InvalidRequest.of("latest", latest, f"must be at most {WINDOW_DAYS_MAX} days after earliest")
    _check_ahead(venue, entry, now=now)
    _check_starts(venue, entry, candidate_sets(venue, entry.demand), now=now)


def _check_ahead(venue: Venue, entry: Entry, *, now: datetime) -> None:
    days = venue.policy.max_advance_days
    latest = now + timedelta(days=days)
    if _last_start(venue, entry) > latest:
        said = latest.astimezone(venue.tz).isoformat(timespec="minutes")
        raise TooFarAhead(
            f"Bookings open {days} days ahead, so the window must end by {said}.",
            max_advance_days=days,
            latest_start=said,
        )


def _last_start(venue: Venue, entry: Entry) -> datetime:
    """Returns the latest start that may be in the window: where nights are sold, it goes on while the last one does."""
    if venue.stay is None:
        return entry.latest_at
    check_in = check_in_on(venue.stay, arrival_of(venue.stay, entry.latest_at, venue.tz), venue.tz)
    return max(entry.earliest_at, min(entry.latest_at, check_in))


def _check_starts(venue: Venue, entry: Entry, sets: Sets, *, now: datetime) -> None:
    """Checks that a visit could start somewhere in the window if nothing were taken. If not, raises the refusal of
    a start at its first instant."""
    able = choices(venue, sets)
    window = Span(entry.earliest_at, entry.latest_at + entry.length)
    for start in starts_in(venue, sets, window, minutes=entry.duration_minutes, now=now):
        is_in = entry.earliest_at <= start <= entry.latest_at
        if is_in and _allowed(venue, able, visit(venue, start, entry.length), now=now):
            return
    if venue.stay is not None and (late := night_under_way(venue, max(now, entry.earliest_at))):
        # By then, there will be that night.
        left = visit(venue, late.start, entry.length)
        if left.start <= entry.latest_at and _allowed(venue, able, left, now=left.start):
            return
    check_time(venue, (), visit(venue, entry.earliest_at, entry.length), now=now, among=able)
    raise InvalidRequest.of("earliest", entry.earliest_at.isoformat(), "no visit can start in the window")


def _allowed(venue: Venue, able: Sets, span: Span, *, now: datetime) -> bool:
    try:
        check_time(venue, (), span, now=now, among=able)
    except HoldfastError:
        return False
    return True


async def _check_room(tx: Tx, venue: Venue, entry: Entry) -> None:
    """Checks the quotas. Only the venue's applies to staff, who add other people to the list all evening."""
    everybody, own, here = await queue_store.count_open(
        tx, venue, guest_id=entry.guest.id, ip=entry.joined_ip
    )
    if everybody >= ENTRIES_MAX:
        raise WaitlistFull(entries_max=ENTRIES_MAX)
    if tx.actor.is_staff:
        return
    for has, most in ((own, ENTRIES_PER_GUEST_MAX), (here, ENTRIES_PER_ADDRESS_MAX)):
        if has >= most:
            raise TooManyEntries(
                f"You already have {has} entries on this waitlist: leave one of them first.", entries_max=most
            )
