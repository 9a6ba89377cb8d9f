"""GET of the events of a tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.feed.read import parse_cursor, read_feed
from holdfast.feed.shown import EventsShown
from holdfast.identity.roles import require
from holdfast.kernel.http import LIMIT_DEFAULT, Caller, Limit, answer
from holdfast.place.routes.at_hand import TENANT_SLUG, EngineUsed

router = APIRouter(tags=["Events"])

After = Annotated[str | None, Query(max_length=200, description="`next` of the answer before.")]
Slug = Annotated[
    str | None,
    Query(pattern=TENANT_SLUG, description="The tenant's slug; for those who reach several tenants."),
]
EventType = Annotated[
    str | None,
    Query(
        alias="type",
        max_length=100,
        pattern=r"^[a-z_]+(\.[a-z_]*)?$",
        description="Only this type (`booking.created`), or all that begin so (`booking.`).",
    ),
]


@router.get("/events", response_model=EventsShown, summary="Read events")
async def get_events(
    request: Request,
    engine: EngineUsed,
    actor: Caller,
    after: After = None,
    type_: EventType = None,
    tenant: Slug = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Response:
    """Events in the order in which they were committed, none left out. Staff only; those who work at some
    venues see these.

    Poll with `after` = `next` of the answer before; wait a moment when `items` is empty. Fewer events than
    `limit` do not mean that there are no more. Without `after` it begins with the oldest event there is;
    events are kept for 30 days.
    """
    require(actor, "staff")
    place = parse_cursor(after)
    numbered = await request.app.state.numberer.number()
    page = await engine.read(
        actor, read_feed, tenant, numbered=numbered, after=place, event_type=type_, limit=limit
    )
    return answer(page)
