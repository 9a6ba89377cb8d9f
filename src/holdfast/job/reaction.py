"""What a reaction is; `main/reactions.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.kernel.tx import Tx

TRANSACTION_S_MAX = 10.0

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
