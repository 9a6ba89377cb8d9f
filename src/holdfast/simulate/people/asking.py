"""Asking until there is an answer: what a good client does, and what becomes of it when things go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import orjson

from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.kernel.idempotency import DONE, Reply, refusal_body
from holdfast.simulate.process import Chaos, Process
from holdfast.simulate.record import UNKNOWN, Answer, Record

TRIES_MAX: Final = 12
PAUSE_S: Final = 0.02
RETRIED_OUT: Final = "Too many concurrent requests for the same thing"
"""The start of the message when a transaction runs out of retries."""

Send = Callable[[Process], Awaitable[Reply]]
"""A request, to be sent to one of the processes; safe to send again."""


class Asking:
    """Sends requests to whichever process, with the faults that chaos draws."""

    def __init__(self, processes: Sequence[Process], *, chaos: Chaos, record: Record) -> None:
        self._processes, self._chaos, self._record = processes, chaos, record
        self._random = Random("balancer")

    def any(self) -> Process:
        """The process that a balancer would choose."""
        return self._random.choice(self._processes)

    async def ask(self, send: Send) -> Answer:
        """The answer, after as many tries as it takes; UNKNOWN after TRIES_MAX.

        `answer_lost`: it is asked again after it was answered. `asked_twice`: two ask at the same time.
        `given_up`: the task is cancelled, wherever it is, and it is asked again. In each case all answers
        must be the same.
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
        """The answer to a change that has no key, only the version that was seen: it is not repeated on purpose.

        A VERSION_CONFLICT after an answer that was lost says nothing: it may be one's own change. Then UNKNOWN.
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
        """The answer, and how often it was asked."""
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
                self._record.found_wrong(f"A transaction was retried out: {error.detail}")
            return None
        except HoldfastError as error:
            return _answer(Reply(error.code, refusal_body(error)), error)
        except Exception as error:
            self._record.found_wrong(f"A request failed: {stack_of(error)}")
            return Answer(UNKNOWN, {})
        return _answer(reply)

    def _compare(self, one: Answer, other: Answer, *, at_once: bool = False) -> None:
        """The same key, the same answer. A refusal that is not kept may become something else, but what is done
        stays done."""
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
