"""Offering what is free to those who wait, first come, first served among those whom it fits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from holdfast.booking.create import Booked, create
from holdfast.booking.search import Found
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span, merged
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.pricing import Pricing
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.look import look
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.settle import settle

ENTRIES_MAX = 2_000
"""Open entries of a venue; more nobody may make."""
PIECE = timedelta(days=1)
"""The ledger is read for so much time at once, where there is more than PIECES_AT_ONCE to look at."""
PIECES_MAX = 400
PIECES_AT_ONCE = 7
"""So many are looked at together, and always; of more, one after the other, those for which LOOKS_MAX suffices."""
LOOKS_MAX = 5_000
OFFERS_MAX = 100
"""Offers that one run makes for a piece; the next makes the others."""
OFFER_TTL_S_MIN = 60
"""Even for a visit that is about to begin: less time nobody could answer in."""
ROTATION_S = 30
BREATH_EVERY = 100
PACING_WINDOW = timedelta(minutes=15)
SOURCE = "waitlist"


async def promote(
    tx: Tx, venue: Venue, *, places: Places, pricing: Pricing, around: Span | None = None
) -> int:
    """Makes the offers that can be made at the venue; answers how many. Asks what is so and not what
    happened: it is safe to run again, at any time, any number of times.

    `around`: the time that was freed; only visits that touch it are looked for. None: all the time in
    which anybody waits, in pieces, as far as LOOKS_MAX goes.

    1. Settle what happened to former offers.
    2. For each who waits, in the order of the queue, look for the first start in the window with a free set.
    3. Offer it: a hold with the policy's `offer_ttl_seconds`, which is taken for all who come after.

    Runs under the venue's lock. What is freed is not kept for the waitlist meanwhile: a booking
    that comes first gets it.
    """
    venue = await places.current(tx, venue)
    await settle(tx, venue)
    offers = looks = 0
    pieces = await _pieces(tx, venue, around)
    for piece in pieces:
        made, looked = await _promote_in(tx, venue, piece, places=places, pricing=pricing)
        offers, looks = offers + made, looks + looked
        if looks > LOOKS_MAX and len(pieces) > PIECES_AT_ONCE:
            break
    return offers


async def has_place(tx: Tx, venue: Venue, entry: Entry) -> bool:
    """Whether anything is free that would do for it, whoever waits before it.

    Of who joins a full house that is all there is to ask: to go through the queue costs many times as much.
    """
    window = Span(entry.earliest_at, entry.latest_at + entry.length)
    for piece in _cut([window], now=tx.now):
        seen = await look(tx, venue, piece, [entry])
        if seen is not None and seen.place_for(entry) is not None:
            return True
    return False


async def _pieces(tx: Tx, venue: Venue, around: Span | None) -> list[Span]:
    """The time to look at, the whole of it no further than anybody waits: PIECES_AT_ONCE together, more than
    that at most PIECE each.

    In order; but when one run may not have time for all the time there is, each begins elsewhere.
    """
    windows = merged(await queue_store.windows(tx, venue, limit=ENTRIES_MAX))
    if around is not None:
        around = _widened(venue, around)
        windows = tuple(
            Span(max(each.start, around.start), min(each.end, around.end))
            for each in windows
            if each.overlaps(around)
        )
    pieces = _cut(windows, now=tx.now)
    if len(pieces) <= PIECES_AT_ONCE:
        # As one: a visit may reach into the next, where somebody who waited longer wants to begin.
        return list(merged(pieces))
    if around is not None:
        return pieces
    turn = int(tx.now.timestamp()) // ROTATION_S % len(pieces)
    return pieces[turn:] + pieces[:turn]


def _cut(windows: Sequence[Span], *, now: datetime) -> list[Span]:
    pieces: list[Span] = []
    for window in windows:
        start = max(window.start, now)
        while start < window.end and len(pieces) < PIECES_MAX:
            pieces.append(Span(start, min(start + PIECE, window.end)))
            start += PIECE
    return pieces


def _widened(venue: Venue, span: Span) -> Span:
    """With the time around it in which a visit has to do with what was freed: buffers, arrivals."""
    buffers = max(
        (each.buffer_before_minutes + each.buffer_after_minutes for each in venue.resources.values()),
        default=0,
    )
    by = timedelta(minutes=buffers) + PACING_WINDOW
    return Span(span.start - by, span.end + by)


async def _promote_in(
    tx: Tx, venue: Venue, piece: Span, *, places: Places, pricing: Pricing
) -> tuple[int, int]:
    """Offers made, and questions asked."""
    longest = timedelta(minutes=venue.policy.duration_minutes_max)
    waiting = await queue_store.waiting(tx, venue, piece, limit=ENTRIES_MAX)
    # Who may no longer stay so long gets no offer, and must not keep the place from those who come after.
    entries = [entry for entry in waiting if entry.length <= longest]
    seen = await look(tx, venue, piece, entries)
    if seen is None:
        return 0, 0
    found: list[tuple[Entry, Found]] = []
    for number, entry in enumerate(entries):
        place = seen.place_for(entry)
        if place is not None:
            seen.take(place, party_size=entry.party_size)
            found.append((entry, place))
        if len(found) == OFFERS_MAX:
            break
        if number % BREATH_EVERY == BREATH_EVERY - 1:
            await asyncio.sleep(0)
    return await _offer(tx, venue, found, places=places, pricing=pricing), seen.looks


async def _offer(
    tx: Tx,
    venue: Venue,
    found: Sequence[tuple[Entry, Found]],
    *,
    places: Places,
    pricing: Pricing,
) -> int:
    if not found:
        return 0
    wanted = [_wanted(tx, venue, entry, place) for entry, place in found]
    outcomes = await create(tx, wanted, places=places, pricing=pricing)
    offered = [
        moved(
            entry,
            EntryStatus.OFFERED,
            now=tx.now,
            booking_id=outcome.booking.id,
            offer_expires_at=outcome.booking.expires_at,
        )
        for (entry, _), outcome in zip(found, outcomes, strict=True)
        if isinstance(outcome, Booked)  # what the rules refuse after all waits on
    ]
    await store.save(tx, offered, actor=str(SYSTEM))
    return len(offered)


def _wanted(tx: Tx, venue: Venue, entry: Entry, place: Found) -> Wanted:
    return Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(start=place.span.start, end=place.span.end),
        party_size=entry.party_size,
        resource_ids=tuple(resource.id for resource in place.sets[0]),
        guest=entry.guest,
        hold=True,
        hold_ttl_seconds=_ttl_s(tx, venue, place),
        source=SOURCE,
        traceparent=tx.traceparent,
    )


def _ttl_s(tx: Tx, venue: Venue, place: Found) -> int:
    """Seconds that the offer stands: no longer than until the visit, so that the next can still come."""
    until_start_s = int((place.span.start - tx.now).total_seconds())
    return min(venue.policy.offer_ttl_seconds, max(until_start_s, OFFER_TTL_S_MIN))
