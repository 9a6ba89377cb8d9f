"""A worker as `holdfast work` runs it, with reactions for tests: `python -m tests.job.worker URL`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from holdfast.engine import Engine
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.job.reaction import Finish, React, Reaction
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.telemetry import start_logging
from holdfast.main.process.work import run_worker
from holdfast.port.ports import Ports
from tests.job.handling import all_of

KIND, BEGUN, NOTED = "test.happened", "test.begun", "test.noted"


async def note_slowly(engine: Engine, event: Event, finish: Finish) -> None:
    """Writes an event about this one in a transaction, and another in a second one, which takes its time."""

    async def write(tx: Tx, kind: str) -> None:
        await emit(tx, [Event(new_id(), event.tenant_id, kind, None, event.id, {}, str(tx.actor), tx.now)])

    async def write_last(tx: Tx) -> None:
        await write(tx, NOTED)
        await tx.execute("SELECT pg_sleep(0.05)")
        await finish(tx)

    await engine.write(SYSTEM, write, BEGUN)
    await engine.write(SYSTEM, write_last)


REACTIONS = (Reaction("note_slowly", (KIND,), "lane", note_slowly, all_of),)


def hold() -> None:
    """Does nothing at all until a byte comes in. Not SIGSTOP: whatever slows the machine down may send SIGCONT."""
    print('{"event": "held"}', flush=True)
    os.read(0, 1)


async def main(url: str) -> None:
    start_logging("INFO")
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, hold)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    db = await Database.connect(url, deadline_s=60)
    engine = Engine(db, ports=Ports(), react=React((), REACTIONS))
    await run_worker(engine, url, ticks=(), reactions=REACTIONS, stopping=stopping)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
