"""A worker as `holdfast work` runs it, with reactions for tests: `python -m tests.dispatch.worker URL`."""

from __future__ import annotations

import asyncio
import signal
import sys

from holdfast.dispatch.reaction import Reaction, Tools
from holdfast.kernel.events import Event, emit

from holdfast.kernel.db import Database
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx
from holdfast.main.logs import start_logging
from holdfast.main.work import run_worker
from holdfast.place.places import Places
from holdfast.port.pricing import LocalPricing

KIND = "test.happened"
NOTED = "test.noted"


async def note_slowly(tx: Tx, event: Event, tools: Tools) -> None:
    """Writes an event about this one, and takes its time before it commits."""
    told = Event(new_id(), event.tenant_id, NOTED, None, event.id, {}, str(tx.actor), tx.now)
    await emit(tx, [told])
    await tx.execute("SELECT pg_sleep(0.05)")


REACTIONS = (Reaction("note_slowly", (KIND,), note_slowly),)


async def main(url: str) -> None:
    start_logging("INFO")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    db = await Database.connect(url, deadline_s=60)
    tools = Tools(Places(db), LocalPricing())
    await run_worker(db, url, tools, ticks=(), reactions=REACTIONS, stopping=stopping)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
