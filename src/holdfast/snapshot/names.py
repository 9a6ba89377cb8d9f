"""Resolves the channel names that clients use, and caches the slots behind them."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from holdfast.channel import names
from holdfast.channel.names import PUBLIC_VIEW, STAFF_VIEW, ChannelView, Viewer
from holdfast.kernel.actor import Actor, can_touch_venue, require_staff, works_at
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import InvalidRequest, NotFound
from holdfast.place.opening.slot import slot_span
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.snapshot.freshness import Freshness
from holdfast.snapshot.take import SlotKey

AVAILABILITY = "availability:"
BOOKINGS = "chain.bookings."
NAME_CHARS_MAX = 300
ChannelName = Annotated[str, Field(json_schema_extra={"maxLength": NAME_CHARS_MAX})]
"""A channel name as clients send it. `Names.view` refuses longer names with a message that gives the valid forms."""
BEFORE_MAX = timedelta(days=1)
AHEAD_MAX = timedelta(days=731)
"""Availability channels exist from BEFORE_MAX before today to AHEAD_MAX after it, in the venue's time zone. This bounds
the number of channels that can be opened."""
SLOTS_MAX = 20_000
SLOT_TTL_S = 15.0

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_FORMS = "availability:{tenant}:{venue}:{date}:{slotId} or chain.bookings.{tenant}.{venue}"


class Names:
    """Resolves channel names and venue names."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def view(self, name: str, actor: Actor) -> ChannelView:
        """Returns the named channel with the actor's view of it.

        Raises InvalidRequest for a malformed name or a slot that does not run that day, and NotFound for an unknown
        tenant or venue. For channels of staff also raises Unauthenticated, Forbidden, or NotFound if the venue belongs
        to another tenant.
        """
        if len(name) <= NAME_CHARS_MAX and name.startswith(AVAILABILITY):
            parts = name.split(":", 4)
            if len(parts) == 5:
                return await self._availability(name, parts[1:], actor)
        if len(name) <= NAME_CHARS_MAX and name.startswith(BOOKINGS):
            parts = name.split(".")
            if len(parts) == 4:
                return await self._bookings(name, parts[2:], actor)
        raise InvalidRequest.of("channel", name[:NAME_CHARS_MAX], f"must be {_FORMS}")

    async def _availability(self, name: str, parts: list[str], actor: Actor) -> ChannelView:
        venue = await self.venue(parts[0], parts[1])
        day = day_of(parts[2], venue, field="channel", value=name)
        slot_span(venue, day, parts[3])
        return _view(name, venue, names.availability(day, parts[3]), actor)

    async def _bookings(self, name: str, parts: list[str], actor: Actor) -> ChannelView:
        venue = await self.venue(parts[0], parts[1])
        require_staff(actor, venue, named=parts[1])
        return _view(name, venue, names.BOOKINGS, actor)

    async def venue(self, tenant: str, venue: str) -> Venue:
        """Returns the venue by slugs or ids, of any tenant, because availability is public. Raises NotFound."""
        venue_id = _id(venue)
        if venue_id is None and _SLUG.fullmatch(venue) and _SLUG.fullmatch(tenant):
            tenant_id = _id(tenant) or await self._places.tenant_id(tenant)
            venue_id = None if tenant_id is None else await self._places.venue_id(tenant_id, venue)
        if venue_id is not None:
            resolved = await self._places.venue(venue_id)
            if tenant == resolved.tenant_slug or _id(tenant) == resolved.tenant_id:
                return resolved
        raise NotFound(f"There is no venue {venue[:NAME_CHARS_MAX]} of a tenant {tenant[:NAME_CHARS_MAX]}.")


def availability_name(tenant: str, venue: str, day: date, slot_id: str) -> str:
    """Returns the public name of an availability channel; tenant and venue by slug or id."""
    return f"{AVAILABILITY}{tenant}:{venue}:{names.availability(day, slot_id)}"


def day_of(text: str, venue: Venue, *, field: str, value: str) -> date:
    """Parses an opening day from BEFORE_MAX ago to AHEAD_MAX ahead. Raises InvalidRequest for `field` otherwise."""
    today = datetime.now(venue.tz).date()
    first, last = today - BEFORE_MAX, today + AHEAD_MAX
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not first <= day <= last:
        raise InvalidRequest.of(
            field, value, f"the date must be YYYY-MM-DD, from {first} to {last} at this venue"
        )
    return day


def _view(name: str, venue: Venue, channel: str, actor: Actor) -> ChannelView:
    return (venue.tenant_id, venue.id, channel), encode(name), viewer_of(actor, venue.tenant_id, venue.id)


def viewer_of(actor: Actor, tenant_id: UUID, venue_id: UUID) -> Viewer:
    """Returns what the actor is to the venue."""
    if works_at(actor, tenant_id, venue_id):
        return STAFF_VIEW
    is_known = can_touch_venue(actor, tenant_id, venue_id)
    return Viewer(groups=tuple(sorted(actor.groups))) if is_known else PUBLIC_VIEW


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class SlotQuery:
    """A slot as a client asks for it. `slot_id`: None for the only slot of the day."""

    tenant: str
    venue: str
    date: str
    slot_id: str | None


class SlotCache:
    """An LRU cache of resolved slot queries.

    An entry is valid until this process sees a change of the venue, at most SLOT_TTL_S.
    """

    def __init__(self, fresh: Freshness) -> None:
        self._fresh = fresh
        self._entries: OrderedDict[SlotQuery, tuple[SlotKey, int, float]] = OrderedDict()

    def get(self, query: SlotQuery) -> SlotKey | None:
        """Returns the slot if it is cached and still valid."""
        cached = self._entries.get(query)
        if cached is None or not self._fresh.is_following():
            return None
        wanted, generation, until = cached
        if generation != self._fresh.floors.generation(wanted.venue_id) or until <= time.monotonic():
            return None
        self._entries.move_to_end(query)
        return wanted

    def generation(self) -> int:
        """Returns the current generation. Get it before the look-up, and pass it to `put`."""
        return self._fresh.floors.latest_generation

    def put(self, query: SlotQuery, wanted: SlotKey, *, since: int) -> None:
        """Caches the slot, unless the venue changed. `since`: `generation()` when the look-up began."""
        generation = self._fresh.floors.generation(wanted.venue_id)
        if generation > since:
            return  # The venue changed during the look-up.
        self._entries[query] = (wanted, generation, time.monotonic() + SLOT_TTL_S)
        self._entries.move_to_end(query)
        if len(self._entries) > SLOTS_MAX:
            self._entries.popitem(last=False)
