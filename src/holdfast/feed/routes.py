"""HTTP route for a tenant's events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.feed.read import CURSORS, read_feed
from holdfast.feed.shown import EventsShown
from holdfast.identity.roles import require
from holdfast.kernel.http import Caller, answer
from holdfast.kernel.paging import LIMIT_DEFAULT, Limit
from holdfast.place.routes.at_hand import TENANT_SLUG, EngineUsed

router = APIRouter(tags=["Events"])

After = Annotated[str | None, Query(max_length=200, description="`next` of the previous response.")]
Slug = Annotated[
    str | None,
    Query(pattern=TENANT_SLUG, description="The tenant's slug; for callers with access to several tenants."),
]
EventType = Annotated[
    str | None,
    Query(
        alias="type",
        max_length=100,
        pattern=r"^[a-z_]+(\.[a-z_]*)?$",
        description="Only this type (`booking.created`), or all types with this prefix (`booking.`).",
    ),
]


@router.get("/events", operation_id="list_events", response_model=EventsShown, summary="Read events")
async def get_events(
    request: Request,
    engine: EngineUsed,
    actor: Caller,
    after: After = None,
    type_: EventType = None,
    tenant: Slug = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Response:
    """Events in commit order, none skipped. For staff; those restricted to certain venues see only events of these.

    Poll with `after` = `next` of the previous response; wait a moment when `items` is empty. A page with fewer than
    `limit` events need not be the last. Without `after` it starts with the oldest event; events are kept for 30 days.
    """
    require(actor, "staff")
    place = CURSORS.key(after)
    numbered = await request.app.state.numberer.number()
    page = await engine.read(
        actor, read_feed, tenant, numbered=numbered, after=place, event_type=type_, limit=limit
    )
    return answer(page)
