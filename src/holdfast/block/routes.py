"""Blocks over HTTP. The routes decide nothing: they read what is asked, run a verb and write the answer.

`router` is for /api/v1; `alias` answers the same where clients of other products expect it, with no prefix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from holdfast.block import store
from holdfast.block.change import Change, change, remove
from holdfast.block.create import Blocked, create, plan, preview
from holdfast.block.expand import expanded_json
from holdfast.block.model import Block, as_json
from holdfast.block.requests import ChangeBlock, CreateBlock
from holdfast.block.shown import BLOCK, BLOCKS, EXPANDED, MADE, PREVIEW, TOLD
from holdfast.block.store import When
from holdfast.booking.access import require_staff
from holdfast.booking.finding.lists import Place
from holdfast.booking.routes.fields import YEAR_MAX, YEAR_MIN
from holdfast.booking.routes.parts import (
    idempotency_key,
    keyed,
    show_reply,
    venue_for,
)
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.body import parse, takes
from holdfast.kernel.errors import InvalidRequest, NotFound, Unauthenticated
from holdfast.kernel.http import LIMIT_DEFAULT, Cursor, Limit, answer, if_match, required_version
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.store import find_resource
from holdfast.place.venue import Venue

PATH = "/chain/maintenance-blocks"
RANGE_DAYS_MAX = 2 * 366 + 1
"""The longest range that is expanded at once: two years and a day."""

router = APIRouter(tags=["Blocks"])
alias = APIRouter(include_in_schema=False)

From = Annotated[AwareDatetime, Query(alias="from", description="Start of the range, with an offset.")]
To = Annotated[AwareDatetime, Query(alias="to", description="End of the range, not part of it.")]
Version = Annotated[
    int | None,
    Query(ge=1, le=2**31 - 1, description="The version that was seen; needed unless If-Match says it."),
]


@router.post(
    PATH, summary="Block time", openapi_extra=takes(CreateBlock), status_code=201, responses={201: MADE}
)
@alias.post(PATH)
async def post_block(request: Request) -> Response:
    """For staff: take resources of a venue off the inventory, once or as often as `rrule` says. Bookings there
    refuse it, or are displaced when that is asked for; then each goes to MANUAL_REVIEW with alternatives."""
    raw = await request.body()
    asked = parse(raw, CreateBlock)
    venue = await _own_venue(request, asked.venue_id)
    key = keyed(request, raw, venue=venue, operation="create_block", field=asked.idempotency_key, about="")
    engine, actor = engine_of(request), request.state.actor
    done = await engine.change_planned(
        actor,
        venue,
        partial(plan, wanted=asked.wanted(), by=str(actor), venue=venue, places=engine.places),
        create,
        key=key,
        show=Blocked.as_json,
        traceparent=request.state.traceparent,
        is_long=True,
    )
    return show_reply(done.reply, status=201)


@router.post(
    f"{PATH}/preview",
    summary="See what a block would hit",
    openapi_extra=takes(CreateBlock),
    responses={200: PREVIEW},
)
@alias.post(f"{PATH}/preview")
async def post_preview(request: Request) -> Response:
    """For staff: what such a block would be, and the bookings it would hit. Nothing is written."""
    asked = parse(await request.body(), CreateBlock)
    idempotency_key(request, asked.idempotency_key)  # not used, but refused where the request itself would be
    venue, engine = await _own_venue(request, asked.venue_id), engine_of(request)
    found = await engine.read_at(
        request.state.actor, venue, preview, asked.wanted(), venue=venue, places=engine.places
    )
    return answer(found)


@router.get(PATH, summary="List blocks", responses={200: BLOCKS})
@alias.get(PATH)
async def get_blocks(
    request: Request,
    venue_id: UUID | None = None,
    resource_id: UUID | None = None,
    when: When | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """For staff: the blocks of a venue, or of one resource, by their first start; `when` narrows them to those
    that go on, are still to come, or are over."""
    venue = await _venue_of(request, venue_id, resource_id)
    found = await engine_of(request).read_at(
        request.state.actor,
        venue,
        store.of_venue,
        venue,
        resource_id=resource_id,
        when=when,
        after=Place.of(cursor),
        limit=limit + 1,
    )
    page = found[:limit]
    following = Place(page[-1].first_at, page[-1].id).cursor() if len(found) > limit else None
    return answer({"items": [as_json(each, venue) for each in page], "next": following})


@router.get(f"{PATH}/expanded", summary="When a resource is blocked", responses={200: EXPANDED})
@alias.get(f"{PATH}/expanded")
async def get_expanded(request: Request, resource_id: UUID, from_: From, to: To) -> Response:
    """For staff: when the resource is blocked, in order, and by what."""
    _check_range(from_, to)
    venue = await _venue_of(request, None, resource_id)
    definitions = await engine_of(request).read_at(
        request.state.actor, venue, store.reaching_into, venue, start=from_, end=to, resource_id=resource_id
    )
    items = expanded_json(definitions, resource_id, from_, to, venue=venue)
    return answer({"resource_id": resource_id, "items": items, "next": None})


@router.get(PATH + "/{block_id}", summary="Read a block", responses={200: TOLD})
@alias.get(PATH + "/{block_id}")
async def get_block(request: Request, block_id: UUID) -> Response:
    """For staff: one block, with its history; one that was removed too."""
    block, venue = await _find(request, block_id)
    history = await engine_of(request).read_at(request.state.actor, venue, store.history, block)
    return answer({**as_json(block, venue), "history": history}, version=block.version)


@router.patch(
    PATH + "/{block_id}",
    summary="Change or end a block",
    openapi_extra=takes(ChangeBlock),
    responses={200: BLOCK},
)
@alias.patch(PATH + "/{block_id}")
async def patch_block(request: Request, block_id: UUID) -> Response:
    """For staff: another reason, or an end: occurrences on or after `cancelled_from` are gone, earlier ones
    stay as history."""
    asked = parse(await request.body(), ChangeBlock)
    version = required_version(asked.expected_version, if_match(request))
    _, venue = await _find(request, block_id)
    wanted = Change(
        block_id=block_id,
        expected_version=version,
        reason=asked.reason,
        cancelled_from=asked.cancelled_from,
    )
    block = await _change(request, venue, change, wanted)
    return answer(as_json(block, venue), version=block.version)


@router.delete(PATH + "/{block_id}", summary="Remove a block", status_code=204)
@alias.delete(PATH + "/{block_id}")
async def delete_block(request: Request, block_id: UUID, expected_version: Version = None) -> Response:
    """For staff: all that is not over is bookable again; what was stays as history."""
    version = required_version(expected_version, if_match(request))
    _, venue = await _find(request, block_id)
    await _change(request, venue, remove, block_id, expected_version=version)
    return Response(status_code=204)


async def _own_venue(request: Request, venue_id: UUID) -> Venue:
    """The venue, for those who work there. Raises Unauthenticated, Forbidden, NotFound."""
    if request.state.actor.kind == "anonymous":
        raise Unauthenticated
    venue = await venue_for(request, venue_id)
    require_staff(request.state.actor, venue)
    return venue


async def _venue_of(request: Request, venue_id: UUID | None, resource_id: UUID | None) -> Venue:
    """The venue named, or that of the resource, for those who work there."""
    if venue_id is not None:
        return await _own_venue(request, venue_id)
    if resource_id is None:
        raise InvalidRequest.of("venue_id", None, "is required (or resource_id)")
    if request.state.actor.kind == "anonymous":
        raise Unauthenticated
    # Only where it belongs: whether the caller works there is asked next.
    found = await engine_of(request).read(SYSTEM, find_resource, resource_id)
    if found is None:
        raise NotFound(f"There is no resource {resource_id}.")
    try:
        return await _own_venue(request, found[1])
    except NotFound:
        # Of another tenant, or where the caller doesn't work: nothing is said of its venue either.
        raise NotFound(f"There is no resource {resource_id}.") from None


async def _find(request: Request, block_id: UUID) -> tuple[Block, Venue]:
    """A block of a venue where the caller works. Raises Unauthenticated, Forbidden, NotFound."""
    if request.state.actor.kind == "anonymous":
        raise Unauthenticated
    block = await engine_of(request).read(request.state.actor, store.find, block_id)
    return block, await _own_venue(request, block.venue_id)


def _check_range(start: Any, end: Any) -> None:
    for name, value in (("from", start), ("to", end)):
        if not YEAR_MIN <= value.year <= YEAR_MAX:
            raise InvalidRequest.of(
                name, value.isoformat(), f"must lie in the years {YEAR_MIN} to {YEAR_MAX}"
            )
    if end <= start:
        raise InvalidRequest.of("to", end.isoformat(), "must be after `from`")
    if end - start > timedelta(days=RANGE_DAYS_MAX):
        raise InvalidRequest.of("to", end.isoformat(), f"must be at most {RANGE_DAYS_MAX} days after `from`")


async def _change(
    request: Request, venue: Venue, verb: Callable[..., Awaitable[Block]], *args: Any, **kwargs: Any
) -> Block:
    """What the verb made of a block. One of two years is thousands of claims."""
    actor, traceparent = request.state.actor, request.state.traceparent
    return await engine_of(request).change(
        actor, venue, verb, *args, traceparent=traceparent, is_long=True, **kwargs
    )
