"""Reactions, and how they are triggered before a transaction with events commits. `main/reactions.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.job import store
from holdfast.job.model import Job
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id

TRANSACTION_S_MAX = 10.0
ROUNDS_MAX = 10
"""How many rounds of events that reactions may emit in response to events."""

Verb = Callable[[Tx, Event], Awaitable[None]]
Finish = Callable[[Tx], Awaitable[None]]
"""Marks the job as done, in the transaction of its work; await it last in that transaction. Raises LeaseLost if another
worker has taken over the job."""
Handle = Callable[[Engine, Event, Finish], Awaitable[None]]
"""Handles the event, in as many transactions as needed, and awaits `finish` at the end of the last one. It may run
again after any of them, out of order, and when much has changed since the event."""


@dataclass(frozen=True, slots=True)
class Immediate:
    """A reaction inside the event's transaction: `verb` runs before the commit."""

    event_types: tuple[str, ...]
    verb: Verb


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction after the event, as a job.

    `name`: used in jobs, dead letters, logs and metrics; it must not change once it is in use, since stored jobs
    contain it. `event_types`: full names. `lane`: its jobs do not wait for other lanes' jobs. `awaited`: returns those
    of the events that need handling. It is called in their transaction, so that no jobs are written for the others.
    """

    name: str
    event_types: tuple[str, ...]
    lane: str
    handle: Handle
    awaited: Callable[[Tx, Sequence[Event]], Awaitable[Sequence[Event]]]


class React:
    """The engine's `react`: a job exists if and only if its event does."""

    def __init__(self, immediate: Sequence[Immediate], reactions: Sequence[Reaction]) -> None:
        self._immediate = immediate
        self._reactions = reactions
        self.event_types = frozenset(
            chain.from_iterable(each.event_types for each in (*immediate, *reactions))
        )
        """The types of events that have a reaction."""

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
        raise RuntimeError(f"reactions triggered each other for more than {ROUNDS_MAX} rounds")

    async def _enqueue(self, tx: Tx, events: Sequence[Event]) -> None:
        jobs: list[Job] = []
        for reaction in self._reactions:
            concerned = [event for event in events if event.event_type in reaction.event_types]
            if concerned:
                awaited = await reaction.awaited(tx, concerned)
                jobs += [Job(new_id(), event, reaction.lane, reaction.name) for event in awaited]
        if jobs:
            await store.enqueue(tx, jobs)
