"""`holdfast serve` or `holdfast work` as root with the embedded server.

Only root can stop that server again, but the process that serves requests must not be root. So this process starts and
stops the server, and a child, which drops root, runs the command.
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
    """Runs the command in a child if that is necessary. Returns whether it did."""
    if os.geteuid() != 0 or settings.database_url:
        return False
    run(_run_child(settings, command))
    return True


async def _run_child(settings: Settings, command: str) -> None:
    """Runs the command in a child until this process is signalled. Raises `Failed` if the child ends on its own.

    The steps are those of `up`, for one child that is not restarted: 1. takes the port; 2. starts or joins the server,
    creates and migrates the database; 3. runs the child; 4. stops the child, then the server unless others use it.
    """
    with until_signalled(), ExitStack() as held:
        options: list[str] = []
        fds: list[int] = []
        if command == "serve":
            fds = [held.enter_context(await listen(settings.host, settings.port)).fileno()]
            issuers(settings)
            options = ["--listener-fd", str(fds[0])]
        async with find_database(settings) as url:
            environ = os.environ | settings.model_copy(update={"database_url": url}).environ()
            child = Child(command, *options, environ=environ, pass_fds=fds)
            try:
                code = await child.run()
            finally:
                held.close()  # From here on, connections are refused.
                await child.stop(timeout_s=STOP_WORKER_S)
        raise Failed(f"holdfast {command} ended with exit code {code}; the messages above say why.")
