"""Stop the server of a data directory."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from holdfast.kernel.embedded.cluster import Layout, read_pid_file
from holdfast.kernel.embedded.model import EmbeddedPostgresError
from holdfast.kernel.embedded.watch import is_server, wait_ended

# Fast: connections are closed, everything is written. Immediate: the next start recovers from the log.
STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 15.0))


def stop_server(layout: Layout) -> None:
    """No server runs on the cluster any more. Fast shutdown, after 20 s immediate, after 35 s an error."""
    server = read_pid_file(layout)
    if server is None or not is_server(server.pid, layout.cluster):
        return
    for number, timeout_s in STEPS:
        with suppress(ProcessLookupError):
            os.kill(server.pid, number)
        if wait_ended(server.pid, layout.cluster, timeout_s=timeout_s):
            break
    else:
        raise EmbeddedPostgresError(f"PostgreSQL, process {server.pid}, does not stop; see {layout.log}")
    # Its directory is made anew by the next start; one that holds something else stays.
    with suppress(OSError):
        server.socket_dir.rmdir()
