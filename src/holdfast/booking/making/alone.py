"""Retries a failed set one booking at a time, so that one bad request never fails another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import asyncpg
import structlog

from holdfast.booking.deciding.conflicts import lost
from holdfast.booking.deciding.known import Refused
from holdfast.booking.making.create import Outcome, Waiting
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.kernel.ids import new_id
from holdfast.place.places import Places

TRIES_MAX = 3

Create = Callable[[Sequence[Waiting]], Awaitable[list[Outcome]]]
Answer = Callable[[Sequence[Waiting], Sequence[Outcome]], None]

log = structlog.get_logger()


async def one_by_one(taken: Sequence[Waiting], create: Create, answer: Answer, places: Places) -> None:
    """Creates each booking in its own transaction and answers its request."""
    for waiting in taken:
        waiting.start_timer()
    for waiting in taken:
        if not waiting.is_awaited:
            continue
        try:
            answer([waiting], [await _alone(waiting, create, places)])
        except Exception as error:
            if not isinstance(error, HoldfastError):
                log.error("booking_failed", booking_id=str(waiting.wanted.id), stack=stack_of(error))
            waiting.fail(error)


async def _alone(waiting: Waiting, create: Create, places: Places) -> Outcome:
    for _ in range(TRIES_MAX):
        try:
            return (await create([waiting]))[0]
        except asyncpg.ExclusionViolationError:
            wanted = waiting.wanted
            return Refused(lost(await places.venue(wanted.venue_id), wanted.resource_ids))
        except asyncpg.UniqueViolationError:
            # Either the generated reference is already in use (one in millions), or another process has just stored a
            # reply under the same key. The next attempt has a new reference and finds that reply.
            waiting.wanted = replace(waiting.wanted, id=new_id())
    raise Overloaded("Too many concurrent requests for the same thing. Try again with the same key.")
