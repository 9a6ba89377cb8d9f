"""GET of a slot's availability: the snapshot to which live events are applied. Public."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from holdfast.channel.names import PUBLIC_VIEW, Viewer
from holdfast.channel.slots import slots_of_day
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import answer
from holdfast.kernel.text import line
from holdfast.place.places import note_venue
from holdfast.place.venue import Venue
from holdfast.snapshot.cache import CachedSnapshot
from holdfast.snapshot.names import Names, SlotCache, SlotQuery, day_of, viewer_of
from holdfast.snapshot.shown import SNAPSHOT
from holdfast.snapshot.snapshots import Snapshots
from holdfast.snapshot.take import SlotKey, slot_ids, slot_of

router = APIRouter(tags=["Live"])
alias = APIRouter(include_in_schema=False)
"""The same route as /v1/clubs/..., for mounting at the root."""

PATH = "/clubs/{tenant}/venues/{venue}/availability"
NAME_CHARS_MAX = 63
Name = Annotated[line(NAME_CHARS_MAX), Path()]
Day = Annotated[str, Query(alias="date", max_length=10, description="The opening day, YYYY-MM-DD.")]
SlotId = Annotated[
    line(NAME_CHARS_MAX) | None,
    Query(
        alias="slotId",
        description="Required when the day has several slots.",
    ),
]


@router.get(
    PATH,
    operation_id="get_availability_snapshot",
    summary="Read the availability of a slot",
    responses={200: SNAPSHOT, 304: {"description": "The snapshot still has the ETag in If-None-Match."}},
)
async def get_availability(
    request: Request, tenant: Name, venue: Name, day: Day, slot_id: SlotId = None
) -> Response:
    """Returns the state of each resource in a slot, and the channel version to which the stream's events apply.

    Tenant and venue by slug or id. Staff of the venue see all five states and who changed them; others see
    `available` and `unavailable`: what the public can book or, with a token, what the groups of its guest can.
    """
    snapshots: Snapshots = request.app.state.snapshots
    slot_cache: SlotCache = request.app.state.slot_cache
    query = SlotQuery(tenant, venue, day, slot_id)
    wanted = slot_cache.get(query) or await _look_up(request, query)
    note_venue(wanted.venue_id)
    actor: Actor = request.state.actor
    viewer = viewer_of(actor, wanted.tenant_id, wanted.venue_id)
    entry = await snapshots.get(wanted, viewer)
    async with snapshots.answering():
        return _answer(request, entry, viewer)


@alias.get("/v1" + PATH)
async def get_availability_by_alias(
    request: Request, tenant: Name, venue: Name, day: Day, slot_id: SlotId = None
) -> Response:
    """The same at the alias path."""
    return await get_availability(request, tenant, venue, day, slot_id)


async def _look_up(request: Request, query: SlotQuery) -> SlotKey:
    """Resolves and caches the query. Raises NotFound and InvalidRequest."""
    slot_cache: SlotCache = request.app.state.slot_cache
    names: Names = request.app.state.hub.names
    generation = slot_cache.generation()
    venue = await names.venue(query.tenant, query.venue)
    day = day_of(query.date, venue, field="date", value=query.date)
    wanted = SlotKey(venue.tenant_id, venue.id, day, query.slot_id or _only_slot(venue, day))
    slot_of(venue, wanted)
    slot_cache.put(query, wanted, since=generation)
    return wanted


def _only_slot(venue: Venue, day: date) -> str:
    """Returns the day's only slot. Raises InvalidRequest when the day has none or several."""
    slots = slots_of_day(venue, day)
    if len(slots) != 1:
        raise InvalidRequest.of("slotId", None, f"say which slot of {day}: {slot_ids(slots)}")
    return slots[0].id


def _answer(request: Request, entry: CachedSnapshot, viewer: Viewer) -> Response:
    headers = {
        "etag": entry.etag,
        "cache-control": "no-cache" if viewer == PUBLIC_VIEW else "private, no-cache",
        "vary": "Authorization",
    }
    if matches(request.headers.get("if-none-match"), entry.etag):
        return Response(status_code=304, headers=headers)
    response = answer(entry.body)
    response.headers.update(headers)
    return response


def matches(header: str | None, etag: str) -> bool:
    """Whether If-None-Match (RFC 9110, 13.1.2) matches the ETag."""
    if header is None:
        return False
    given = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in given or "*" in given
