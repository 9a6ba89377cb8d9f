"""Running a reaction on an event, once; and what is noted when that fails."""

from __future__ import annotations

import random
import traceback

from holdfast.dispatch import store
from holdfast.dispatch.reaction import Delivery, Reaction, Tools
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.tx import Tx

RETRY_S_MIN = 1.0
RETRY_FACTOR = 4.0
JITTER = 0.5
ERROR_CHARS_MAX = 300
TAKEN_OVER_MAX = 10
"""How often a job is taken over from a worker that vanished with it before its event becomes a dead letter."""
VANISHED = "WorkerVanished"


async def deliver(tx: Tx, reaction: Reaction, tools: Tools, delivery: Delivery) -> bool:
    """Runs the reaction's verb and marks the event as delivered to it, in one transaction: together they
    happen once. False if there was nothing to do: it is delivered, it is dead, or the event is purged."""
    event = await store.find_event(tx, delivery)
    if event is None or not await store.mark(tx, delivery):
        return False
    tx.traceparent = event.traceparent
    await reaction.verb(tx, event, tools)
    return True


async def fail(tx: Tx, delivery: Delivery, error: str) -> int:
    """Notes that it failed; how often that is now. After TRIES_MAX it is a dead letter. 0: it is delivered
    after all (the answer to a commit can get lost), or dead already."""
    counted = await store.count_failure(tx, delivery)
    if counted is None:
        return 0
    failures, since = counted
    if failures >= store.TRIES_MAX:
        await store.bury(tx, delivery, attempts=failures, error=error, since=since)
    return failures


async def give_up(tx: Tx, delivery: Delivery, job_id: int) -> bool:
    """Whether it became a dead letter, since all of TAKEN_OVER_MAX workers that had the job vanished with it.

    A verb that takes its process down leaves no failure behind: what tells is the library's log, which has
    the job picked more often than put into the queue. False too if it is delivered after all, or dead.
    """
    vanished = await store.count_vanished(tx, job_id)
    if vanished < TAKEN_OVER_MAX:
        return False
    since = await store.spend_tries(tx, delivery)
    if since is None:
        return False
    await store.bury(tx, delivery, attempts=vanished, error=VANISHED, since=since)
    return True


def retry_s(failures: int, *, least_s: float = RETRY_S_MIN) -> float:
    """Seconds until the next try: 1, 4, 16, 64, give or take half."""
    return least_s * RETRY_FACTOR ** (failures - 1) * random.uniform(1 - JITTER, 1 + JITTER)


def error_of(error: Exception) -> str:
    """What kind of error it was and where, without its text, which may quote personal data."""
    if isinstance(error, HoldfastError):
        kind = error.code
    else:
        known = [getattr(error, name, None) for name in ("sqlstate", "constraint_name")]
        kind = " ".join([type(error).__name__, *(each for each in known if isinstance(each, str))])
    frames = traceback.extract_tb(error.__traceback__)
    return f"{kind} in {frames[-1].name}"[:ERROR_CHARS_MAX] if frames else kind[:ERROR_CHARS_MAX]
