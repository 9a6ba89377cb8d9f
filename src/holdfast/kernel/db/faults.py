"""Database errors, grouped by how to handle them."""

from __future__ import annotations

import asyncpg

# Deadlock, serialisation failure, lock timeout: nothing was done, and a retry can succeed. A prepared statement that a
# migration made stale is prepared again.
RETRIABLE = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)
# The database is gone, shutting down or still starting.
UNREACHABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection broke between two statements and asyncpg noticed only now
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# Temporary inability, by SQLSTATE: connection errors, rejected login, read-only (a standby), timeouts, no disk space or
# memory, operator intervention, system errors.
UNABLE = ("08", "28", "25006", "25P03", "53", "57", "58")
