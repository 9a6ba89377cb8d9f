"""HTTP routes for dead letters."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from holdfast.feed.routes import Slug
from holdfast.identity.roles import require
from holdfast.job.letters import inspect, page_of, replay
from holdfast.job.shown import DeadLetterShown, DeadLettersShown, letter_shown
from holdfast.kernel.http import Caller, answer
from holdfast.kernel.paging import BY_ID, AskedPage
from holdfast.place.routes.at_hand import EngineUsed

router = APIRouter(tags=["Events"])

Replayed = Annotated[bool, Query(description="Include those that were replayed.")]


@router.get(
    "/dead-letters",
    operation_id="list_dead_letters",
    response_model=DeadLettersShown,
    summary="List dead letters",
)
async def get_dead_letters(
    page: AskedPage, engine: EngineUsed, actor: Caller, replayed: Replayed = False, tenant: Slug = None
) -> Response:
    """Events for which a reaction has failed permanently, newest first. For managers."""
    require(actor, "manager")
    before = page.after(BY_ID)
    found = await engine.read(actor, page_of, tenant, replayed=replayed, before=before, limit=page.read_max)
    return page.answer(found, lambda each: letter_shown(*each), BY_ID, lambda each: each[0].id)


@router.get(
    "/dead-letters/{letter_id}",
    operation_id="get_dead_letter",
    response_model=DeadLetterShown,
    summary="Read a dead letter",
)
async def get_dead_letter(letter_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """The event and the error. For managers."""
    require(actor, "manager")
    return answer(letter_shown(*await engine.read(actor, inspect, letter_id)))


@router.post(
    "/dead-letters/{letter_id}/replay",
    operation_id="replay_dead_letter",
    response_model=DeadLetterShown,
    status_code=202,
    summary="Replay a dead letter",
)
async def post_replay(letter_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """Retries the reaction soon; `delivered_at` says when it succeeded. Safe to repeat: a dead letter that was replayed
    already does not change. For managers."""
    require(actor, "manager")
    return answer(letter_shown(*await engine.write(actor, replay, letter_id)), status=202)
