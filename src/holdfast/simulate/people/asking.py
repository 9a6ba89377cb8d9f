"""A client that retries until it has an answer, with injected faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import orjson

from holdfast.kernel.db.idempotency import DONE, Reply, refusal_body
from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.simulate.process import Chaos, Process
from holdfast.simulate.record import UNKNOWN, Answer, Record

TRIES_MAX: Final = 12
PAUSE_S: Final = 0.02
RETRIED_OUT: Final = "Too many concurrent requests for the same thing"
"""The start of the message when a transaction runs out of retries."""

Send = Callable[[Process], Awaitable[Reply]]
"""Sends a request to one of the processes; safe to repeat."""


class Asking:
    """Sends requests to random processes, with the faults that chaos injects."""

    def __init__(self, processes: Sequence[Process], *, chaos: Chaos, record: Record) -> None:
        self._processes, self._chaos, self._record = processes, chaos, record
        self._random = Random("balancer")

    def any(self) -> Process:
        """Returns the process that a load balancer would choose."""
        return self._random.choice(self._processes)

    async def ask(self, send: Send) -> Answer:
        """Returns the answer, after as many tries as it takes; UNKNOWN after TRIES_MAX.

        `answer_lost`: the request is repeated after it was answered. `asked_twice`: it is sent twice at the same time.
        `given_up`: its task is cancelled at some point, and it is repeated. In each case all answers must be equal.
        """
        match self._chaos.request():
            case "answer_lost":
                lost, answer = await self._answer(send), await self._answer(send)
                self._compare(lost, answer)
            case "asked_twice":
                lost, answer = await asyncio.gather(self._answer(send), self._answer(send))
                self._compare(lost, answer, at_once=True)
                answer = lost if lost.is_done else answer
            case "given_up":
                await self._give_up(send)
                answer = await self._answer(send)
            case _:
                answer = await self._answer(send)
        return answer

    async def ask_without_key(self, send: Send) -> Answer:
        """Returns the answer to a change without a key, only with a version; it is not repeated on purpose.

        A VERSION_CONFLICT on a retry after a lost answer means nothing: the change may be one's own. Then it returns
        UNKNOWN.
        """
        answer, tries = await self._tries(send)
        may_be_own = tries > 1 and answer.code in ("VERSION_CONFLICT", "NOT_FOUND")
        return Answer(UNKNOWN, {}) if may_be_own else answer

    async def _give_up(self, send: Send) -> None:
        task = asyncio.ensure_future(send(self.any()))
        await asyncio.wait([task], timeout=self._chaos.moment_s())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _answer(self, send: Send) -> Answer:
        answer, _ = await self._tries(send)
        return answer

    async def _tries(self, send: Send) -> tuple[Answer, int]:
        """Returns the answer, and the number of tries."""
        for attempt in range(1, TRIES_MAX + 1):
            answer = await self._try(send)
            if answer is not None:
                return answer, attempt
            await asyncio.sleep(PAUSE_S * attempt)
        return Answer(UNKNOWN, {}), TRIES_MAX

    async def _try(self, send: Send) -> Answer | None:
        try:
            reply = await send(self.any())
        except (OutcomeUnknown, Overloaded) as error:
            self._record.overloaded += 1
            if error.detail.startswith(RETRIED_OUT):
                self._record.found_wrong(f"A transaction ran out of retries: {error.detail}")
            return None
        except HoldfastError as error:
            return _answer(Reply(error.code, refusal_body(error)), error)
        except Exception as error:
            self._record.found_wrong(f"A request failed: {stack_of(error)}")
            return Answer(UNKNOWN, {})
        return _answer(reply)

    def _compare(self, one: Answer, other: Answer, *, at_once: bool = False) -> None:
        """Checks that the same key got the same answer. A refusal that is not final may become something else, but
        what was done must stay done."""
        if UNKNOWN in (one.code, other.code):
            return
        both_kept = one.is_final and other.is_final
        undone = one.is_done != other.is_done and (one.is_done and not at_once)
        if undone or (both_kept and (one.code, one.raw) != (other.code, other.raw)):
            self._record.found_wrong(
                f"The same request got two answers: {one.code} {one.raw[:300]} and {other.code} {other.raw[:300]}"
            )


def _answer(reply: Reply, refused: HoldfastError | None = None) -> Answer:
    body = orjson.loads(reply.body)
    return Answer(reply.code if reply.code else DONE, body, reply.body, refused)
