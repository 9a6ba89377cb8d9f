"""The deadline of a request.

A request may wait for several things in turn: its turn, a lock, a connection. Each wait has its own bound, and the
deadline bounds their sum.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST_DEADLINE_S = 1.8
"""The default; HOLDFAST_REQUEST_DEADLINE_S sets another."""


class _Deadline:
    """Starts at the first wait, so that a request body that arrives slowly does not use it up."""

    __slots__ = ("seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until: float | None = None


_current: ContextVar[_Deadline | None] = ContextVar("holdfast_deadline", default=None)


@contextmanager
def request_deadline(seconds: float = REQUEST_DEADLINE_S) -> Iterator[None]:
    """All waits in the block, and in tasks it starts, end `seconds` after the first wait began."""
    token = _current.set(_Deadline(seconds))
    try:
        yield
    finally:
        _current.reset(token)


def left_s(most_s: float) -> float:
    """Returns the timeout for a wait, in seconds: `most_s`, but not past the deadline; 0 when it has passed."""
    deadline = _current.get()
    if deadline is None:
        return most_s
    now = time.monotonic()
    if deadline.until is None:
        deadline.until = now + deadline.seconds
    return max(min(most_s, deadline.until - now), 0.0)


def part_s(usual_s: float) -> float:
    """Like `left_s`, for a wait that may take a share of the deadline: `usual_s` of REQUEST_DEADLINE_S, scaled to the
    request's own deadline."""
    deadline = _current.get()
    return left_s(usual_s if deadline is None else usual_s * deadline.seconds / REQUEST_DEADLINE_S)
