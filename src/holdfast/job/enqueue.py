"""What happens with an event before its transaction commits: immediate reactions, and jobs for the others."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.event.model import Event
from holdfast.job import store
from holdfast.job.model import Job
from holdfast.job.reaction import Immediate, Reaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx

ROUNDS_MAX = 10
"""What reacts to an event may emit others, so many times over."""


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
