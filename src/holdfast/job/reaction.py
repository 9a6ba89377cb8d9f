"""What reactions are, and what they do with an event before its transaction commits; `main/reactions.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.job import store
from holdfast.job.model import Job
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id

TRANSACTION_S_MAX = 10.0
ROUNDS_MAX = 10
"""What reacts to an event may emit others, so many times over."""

Verb = Callable[[Tx, Event], Awaitable[None]]
Finish = Callable[[Tx], Awaitable[None]]
"""Marks the job as done, in the transaction of its work; to be awaited last in it. Raises LeaseLost when another worker
has the job now."""
Handle = Callable[[Engine, Event, Finish], Awaitable[None]]
"""Does what the event asks for, in as many transactions as it takes, and awaits `finish` at the end of the last. It may
be run again after any of them, out of order, and when much has changed since the event."""


@dataclass(frozen=True, slots=True)
class Immediate:
    """Something that happens with an event: `verb` runs in its transaction, before the commit."""

    event_types: tuple[str, ...]
    verb: Verb


@dataclass(frozen=True, slots=True)
class Reaction:
    """Something that is done after an event, as a job.

    `name`: as in jobs, dead letters, logs and metrics; once it has run somewhere it stays, since they carry it.
    `event_types`: in full. `lane`: its jobs wait for no other lane's. `awaited`: which of these events ask for anything
    to be done; asked in their transaction, so that nothing is written for the others.
    """

    name: str
    event_types: tuple[str, ...]
    lane: str
    handle: Handle
    awaited: Callable[[Tx, Sequence[Event]], Awaitable[Sequence[Event]]]


class React:
    """The engine's `react`: jobs exist if and only if their events do."""

    def __init__(self, immediate: Sequence[Immediate], reactions: Sequence[Reaction]) -> None:
        self._immediate = immediate
        self._reactions = reactions

    async def __call__(self, tx: Tx) -> None:
        seen = 0
        for _ in range(ROUNDS_MAX):
            events: list[Event] = tx.events[seen:]
            seen = len(tx.events)
            for immediate in self._immediate:
                for event in events:
                    if event.event_type in immediate.event_types:
                        await immediate.verb(tx, event)
            await self._enqueue(tx, events)
            if len(tx.events) == seen:
                return
        raise RuntimeError(f"reactions caused each other more than {ROUNDS_MAX} times")

    async def _enqueue(self, tx: Tx, events: Sequence[Event]) -> None:
        jobs: list[Job] = []
        for reaction in self._reactions:
            concerned = [event for event in events if event.event_type in reaction.event_types]
            if concerned:
                awaited = await reaction.awaited(tx, concerned)
                jobs += [Job(new_id(), event, reaction.lane, reaction.name) for event in awaited]
        if jobs:
            await store.enqueue(tx, jobs)
