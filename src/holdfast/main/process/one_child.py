"""`holdfast serve` or `holdfast work` as root with the embedded server.

Only root can stop that server again, and what serves requests is not to be root: so this process starts and stops it,
and the command itself runs in a child, which drops root.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from holdfast.kernel.config import Settings
from holdfast.main.process.child import Child
from holdfast.main.process.database import find_database
from holdfast.main.process.listen import listen
from holdfast.main.process.outcome import Failed, run
from holdfast.main.process.tokens import issuers
from holdfast.main.process.up import STOP_WORKER_S, until_signalled


def in_child_as_root(settings: Settings, command: str) -> bool:
    """Whether that was for a child to do; then it is done."""
    if os.geteuid() != 0 or settings.database_url:
        return False
    run(_run_child(settings, command))
    return True


async def _run_child(settings: Settings, command: str) -> None:
    """The command has ended: because of a signal to this process, or by itself, which is `Failed`.

    As `up` does, for one child, which is not started again: 1. takes the port; 2. starts or adopts the server, makes
    and migrates the database; 3. runs the child; 4. stops it, and the server unless somebody else uses it.
    """
    with until_signalled(), ExitStack() as held:
        options: list[str] = []
        fds: list[int] = []
        if command == "serve":
            issuers(settings)
            fds = [held.enter_context(await listen(settings.host, settings.port)).fileno()]
            options = ["--listener-fd", str(fds[0])]
        async with find_database(settings) as url:
            environ = os.environ | settings.model_copy(update={"database_url": url}).environ()
            child = Child(command, *options, environ=environ, pass_fds=fds)
            try:
                code = await child.run()
            finally:
                held.close()  # Nobody takes connections any more.
                await child.stop(timeout_s=STOP_WORKER_S)
        raise Failed(f"holdfast {command} ended with exit code {code}; the messages above say why.")
