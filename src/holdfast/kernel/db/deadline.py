"""Until when whoever asked must have an answer.

A request may wait for several things, one after the other: a turn, a lock, a connection. Each wait has its
own bound, and together they must keep one too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST_DEADLINE_S = 1.8
"""The usual time of a request; HOLDFAST_REQUEST_DEADLINE_S gives it more or less."""


class _Deadline:
    """Set by the first wait, so that a body which is slow to arrive takes nothing of it."""

    __slots__ = ("seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until: float | None = None


_current: ContextVar[_Deadline | None] = ContextVar("holdfast_deadline", default=None)


@contextmanager
def request_deadline(seconds: float = REQUEST_DEADLINE_S) -> Iterator[None]:
    """All waits of the block, and of the tasks it starts, end `seconds` after the first began."""
    token = _current.set(_Deadline(seconds))
    try:
        yield
    finally:
        _current.reset(token)


def left_s(most_s: float) -> float:
    """How long to wait at most: `most_s` seconds, or what is left of the request's time; 0 when it is over."""
    deadline = _current.get()
    if deadline is None:
        return most_s
    now = time.monotonic()
    if deadline.until is None:
        deadline.until = now + deadline.seconds
    return max(min(most_s, deadline.until - now), 0.0)


def part_s(usual_s: float) -> float:
    """The same for a wait that has a part of the request's time: `usual_s` of REQUEST_DEADLINE_S, and in
    proportion where a request has more or less."""
    deadline = _current.get()
    return left_s(usual_s if deadline is None else usual_s * deadline.seconds / REQUEST_DEADLINE_S)
