"""What can be wrong with the database, by what is to be done about it."""

from __future__ import annotations

import asyncpg

# Deadlock, serialisation failure, lock not to be had in time: nothing was done, and a second try can succeed.
# A prepared statement that a migration made stale is prepared anew.
RETRIABLE = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)
# The database is gone, going or not there yet.
UNREACHABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection broke between two statements, and asyncpg has just noticed
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# What the database can't do for now, by SQLSTATE: connection, refused log-in, read-only (a standby), timeouts,
# no disk or memory, somebody's intervention, a failing system.
UNABLE = ("08", "28", "25006", "25P03", "53", "57", "58")
