"""Changes that take long to compute: planned outside any transaction, then written in a short one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.db import idempotency
from holdfast.kernel.db.idempotency import Done, Keyed
from holdfast.kernel.db.slices import giving_way
from holdfast.kernel.db.tx import Tx, request_deadline
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.place.venue import Venue

T = TypeVar("T")
P = TypeVar("P")
Read = Callable[..., Awaitable[Any]]
"""`await read(verb, *args, **kwargs)`: a verb that writes nothing, run in a transaction of its own, without a lock."""
PLANS_MAX = 3
"""How often a change is planned. After the last plan, whatever others have taken meanwhile is refused."""
PLAN_TIMES = 3
"""A plan may take this many times as long as a request: it holds only its venue's turn to plan."""


class StalePlan(Overloaded):
    """Others kept changing the same venue while this change was being planned. Try again with the same key."""


async def change_planned(
    engine: Engine,
    actor: Actor,
    venue: Venue,
    plan: Callable[[Read], Awaitable[P]],
    verb: Callable[..., Awaitable[T]],
    /,
    *,
    key: Keyed | None,
    show: Callable[[T, Venue], Any],
    traceparent: str | None = None,
    is_long: bool = False,
) -> Done[T]:
    """Like `Engine.change_once`, for a change that takes long to compute: `plan(read)` decides outside any transaction,
    and `verb(tx, planned, plans_left=..., venue=...)` writes the plan.

    1. Return the reply stored under the key, if there is one.
    2. Plan. If the plan is refused, so is the change; a final refusal is stored under the key.
    3. Write, within the deadline of a request. If the verb raises StalePlan, nothing is written and step 2 is repeated,
       up to PLANS_MAX times in all. The last time `plans_left` is 0: the verb then refuses what others have taken.
    """
    read = partial(engine.read_at, actor, venue)
    more: dict[str, Any] = {"key": key, "show": show, "traceparent": traceparent, "is_long": is_long}
    if key is not None and (stored := await read(idempotency.kept, key)):
        return Done(stored.for_request(key.request_hash))
    plans_left = PLANS_MAX
    while True:
        plans_left -= 1
        try:
            planned = await make_plan(engine, actor, venue, plan)
        except HoldfastError as refused:
            with request_deadline(engine.db.deadline_s):
                if refused.is_final:
                    return await engine.change_once(actor, venue, refuse, refused, **more)
                # What is in the way may have been taken by this same request, sent twice.
                if key is not None and (stored := await read(idempotency.kept, key)):
                    return Done(stored.for_request(key.request_hash))
            raise
        try:
            with request_deadline(engine.db.deadline_s):
                return await engine.change_once(actor, venue, verb, planned, plans_left=plans_left, **more)
        except StalePlan:
            if not plans_left:
                raise


async def make_plan(
    engine: Engine,
    actor: Actor,
    venue: Venue,
    plan: Callable[[Read], Awaitable[P]],
    *,
    is_preview: bool = False,
) -> P:
    """Returns the value of `plan(read)`, which runs outside any transaction. Raises Overloaded.

    It may take PLAN_TIMES as long as a request. Each venue has one plan at a time, so that long plans delay only
    those of the same venue. Previews have their own turns and yield to changes, so that they don't delay bookings.
    """
    turns = engine.previewing if is_preview else engine.planning
    way = giving_way(engine.is_changing) if is_preview else nullcontext()
    with request_deadline(PLAN_TIMES * engine.db.deadline_s), way:
        async with turns.of(venue.id):
            return await plan(partial(engine.read_at, actor, venue))


async def refuse(_tx: Tx, refused: HoldfastError, *, venue: Venue) -> Any:
    """A verb that raises the plan's refusal, so that it is stored as the reply."""
    raise refused
