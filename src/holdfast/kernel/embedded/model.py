"""A running server, its databases, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

SUPERUSER = "postgres"


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL can't be started or stopped; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that accepts connections on a Unix socket.

    `data_dir`: the directory that holds the cluster (`data_dir/postgres`).
    `socket_dir`: short and private: only the user who started the server, and root, can connect.
    """

    data_dir: Path
    socket_dir: Path
    port: int
    pid: int

    def url(self, database: str = "holdfast", user: str = SUPERUSER) -> str:
        """A DSN for asyncpg and libpq; with `postgresql+asyncpg://` in front, for SQLAlchemy."""
        where = f"host={quote(str(self.socket_dir), safe='/')}&port={self.port}"
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{where}"

    @property
    def socket(self) -> Path:
        """The socket's path, at most 107 bytes long."""
        return self.socket_dir / f".s.PGSQL.{self.port}"


async def create_database(server: Server, name: str = "holdfast") -> bool:
    """Whether the database was created now; `False` when it was there already."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        quoted = await connection.fetchval("SELECT quote_ident($1)", name)
        await connection.execute(f"CREATE DATABASE {quoted}")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        # UniqueViolation: two processes created it in the same moment.
        return False
    finally:
        await connection.close()
    return True
