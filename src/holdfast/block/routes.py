"""Blocks over HTTP. The routes decide nothing: they read the request, run a verb and write the response.

`router` is for /api/v1. `alias` serves the same calls without a prefix, where clients of other products expect them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from holdfast.block import store
from holdfast.block.change import BlockChange, change, remove
from holdfast.block.create import Blocked, create, plan, preview
from holdfast.block.expand import expanded_json
from holdfast.block.model import Block, as_json
from holdfast.block.requests import ChangeBlock, CreateBlock
from holdfast.block.shown import BLOCK, BLOCKS, EXPANDED, MADE, PREVIEW, WITH_HISTORY
from holdfast.block.store import When
from holdfast.booking.finding.lists import BY_START, StartKey
from holdfast.booking.routes.parts import check_year, own_venue
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from holdfast.kernel.http import (
    Caller,
    IfMatch,
    InstantText,
    SeenVersion,
    answer,
    json_body,
    required_version,
    show_reply,
)
from holdfast.kernel.paging import AskedPage
from holdfast.place.routes.at_hand import Asked, AskedChange, EngineUsed
from holdfast.place.store import find_resource
from holdfast.place.venue import Venue
from holdfast.planning import change_planned

PATH = "/chain/maintenance-blocks"
RANGE_DAYS_MAX = 2 * 366 + 1
"""The longest range of one request: two years and a day."""

router = APIRouter(tags=["Blocks"])
alias = APIRouter(include_in_schema=False)

From = Annotated[InstantText, Query(alias="from", description="Start of the range, with an offset.")]
To = Annotated[InstantText, Query(alias="to", description="End of the range, exclusive, with an offset.")]


@router.post(PATH, operation_id="create_block", summary="Block time", status_code=201, responses={201: MADE})
@alias.post(PATH)
async def post_block(body: Annotated[CreateBlock, json_body(CreateBlock)], asked: AskedChange) -> Response:
    """For staff: take resources of a venue off the inventory, once or repeatedly by `rrule`. Bookings in the way
    prevent it. With on_conflict "displace" it displaces them: each goes to MANUAL_REVIEW, with alternatives."""
    engine, actor = asked.engine, asked.actor
    venue = await own_venue(engine, actor, body.venue_id)
    done = await change_planned(
        engine,
        actor,
        venue,
        partial(plan, wanted=body.wanted(), by=str(actor), venue=venue, places=engine.places),
        create,
        key=asked.keyed(venue, "create_block", body),
        show=Blocked.as_json,
        traceparent=asked.traceparent,
        is_long=True,
    )
    return show_reply(done.reply, status=201)


@router.post(
    f"{PATH}/preview", operation_id="preview_block", summary="Preview a block", responses={200: PREVIEW}
)
@alias.post(f"{PATH}/preview")
async def post_preview(body: Annotated[CreateBlock, json_body(CreateBlock)], asked: AskedChange) -> Response:
    """For staff: the occurrences of a block, and the bookings and blocks it would overlap. Nothing is written."""
    asked.key(body.idempotency_key)  # unused, but a key that creating would refuse is refused here too
    engine, actor = asked.engine, asked.actor
    venue = await own_venue(engine, actor, body.venue_id)
    return answer(
        await engine.read_at(actor, venue, preview, body.wanted(), venue=venue, places=engine.places)
    )


@router.get(PATH, operation_id="list_blocks", summary="List blocks", responses={200: BLOCKS})
@alias.get(PATH)
async def get_blocks(
    page: AskedPage,
    engine: EngineUsed,
    actor: Caller,
    venue_id: UUID | None = None,
    resource_id: UUID | None = None,
    when: When | None = None,
) -> Response:
    """For staff: the blocks of a venue or of one resource, ordered by first start. `when` filters them: `active`,
    `upcoming` or `past`."""
    venue = await _venue_of(engine, actor, venue_id, resource_id)
    found = await engine.read_at(
        actor,
        venue,
        store.of_venue,
        venue,
        resource_id=resource_id,
        when=when,
        after=page.after(BY_START) or StartKey(),
        limit=page.read_max,
    )
    return page.answer(
        found, lambda block: as_json(block, venue), BY_START, lambda block: StartKey(block.first_at, block.id)
    )


@router.get(
    f"{PATH}/expanded",
    operation_id="list_blocked_intervals",
    summary="When a resource is blocked",
    responses={200: EXPANDED},
)
@alias.get(f"{PATH}/expanded")
async def get_expanded(resource_id: UUID, from_: From, to: To, engine: EngineUsed, actor: Caller) -> Response:
    """For staff: when the resource is blocked, in order, and by which blocks."""
    _check_range(from_, to)
    venue = await _venue_of(engine, actor, None, resource_id)
    definitions = await engine.read_at(
        actor, venue, store.reaching_into, venue, start=from_, end=to, resource_id=resource_id
    )
    items = expanded_json(definitions, resource_id, from_, to, venue=venue)
    return answer({"resource_id": resource_id, "items": items, "next": None})


@router.get(
    PATH + "/{block_id}", operation_id="get_block", summary="Read a block", responses={200: WITH_HISTORY}
)
@alias.get(PATH + "/{block_id}")
async def get_block(block_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """For staff: one block with its history, even if it was removed."""
    block, venue = await _find(engine, actor, block_id)
    history = await engine.read_at(actor, venue, store.history, block)
    return answer({**as_json(block, venue), "history": history}, version=block.version)


@router.patch(
    PATH + "/{block_id}", operation_id="update_block", summary="Change or end a block", responses={200: BLOCK}
)
@alias.patch(PATH + "/{block_id}")
async def patch_block(
    block_id: UUID,
    body: Annotated[ChangeBlock, json_body(ChangeBlock)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """For staff: change the reason, or end the block. Occurrences on or after `cancelled_from` are cancelled;
    earlier ones remain as history."""
    version = required_version(body.expected_version, if_match)
    _, venue = await _find(asked.engine, asked.actor, block_id)
    wanted = BlockChange(
        block_id=block_id,
        expected_version=version,
        reason=body.reason,
        cancelled_from=body.cancelled_from,
    )
    block = await _change(asked, venue, change, wanted)
    return answer(as_json(block, venue), version=block.version)


@router.delete(PATH + "/{block_id}", operation_id="delete_block", summary="Remove a block", status_code=204)
@alias.delete(PATH + "/{block_id}")
async def delete_block(
    block_id: UUID, if_match: IfMatch, asked: AskedChange, expected_version: SeenVersion = None
) -> Response:
    """For staff: all its time that is not over becomes bookable again. Past occurrences remain as history."""
    version = required_version(expected_version, if_match)
    _, venue = await _find(asked.engine, asked.actor, block_id)
    await _change(asked, venue, remove, block_id, expected_version=version)
    return Response(status_code=204)


async def _venue_of(engine: Engine, actor: Actor, venue_id: UUID | None, resource_id: UUID | None) -> Venue:
    """Returns the named venue, or the resource's, if the caller works there."""
    if venue_id is not None:
        return await own_venue(engine, actor, venue_id)
    if resource_id is None:
        raise InvalidRequest.of("venue_id", None, "is required (or resource_id)")
    if actor.kind == "anonymous":
        raise Unauthenticated
    # This only finds the resource's venue; whether the caller works there is checked next.
    found = await engine.read(SYSTEM, find_resource, resource_id)
    if found is None:
        raise NotFound(f"There is no resource {resource_id}.")
    try:
        return await own_venue(engine, actor, found[1])
    except NotFound:
        # It is another tenant's, or the caller doesn't work there: don't reveal its venue either.
        raise NotFound(f"There is no resource {resource_id}.") from None


async def _find(engine: Engine, actor: Actor, block_id: UUID) -> tuple[Block, Venue]:
    """Returns a block of a venue where the caller works. Raises Unauthenticated, Forbidden, NotFound.

    Guests learn nothing about any block. Staff of other venues get the same message as for an unknown id.
    """
    if actor.kind == "anonymous":
        raise Unauthenticated
    if not actor.is_staff:
        raise Forbidden("This is for the staff of the venue.", needed_roles=["staff"])
    block = await engine.read(actor, store.find, block_id)
    try:
        return block, await own_venue(engine, actor, block.venue_id)
    except NotFound:
        raise NotFound(f"There is no block {block_id}.") from None


def _check_range(start: datetime, end: datetime) -> None:
    check_year("from", start)
    check_year("to", end)
    if end <= start:
        raise InvalidRequest.of("to", end.isoformat(), "must be after `from`")
    if end - start > timedelta(days=RANGE_DAYS_MAX):
        raise InvalidRequest.of("to", end.isoformat(), f"must be at most {RANGE_DAYS_MAX} days after `from`")


async def _change(
    asked: Asked, venue: Venue, verb: Callable[..., Awaitable[Block]], *args: Any, **kwargs: Any
) -> Block:
    """Runs the verb and returns the block. `is_long`, since a block of two years has thousands of claims."""
    return await asked.engine.change(
        asked.actor, venue, verb, *args, traceparent=asked.traceparent, is_long=True, **kwargs
    )
