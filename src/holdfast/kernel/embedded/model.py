"""A running server, its databases and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

SUPERUSER = "postgres"
LOGIN = "holdfast_login"
"""The role the application logs in as: not a superuser, owns nothing, may switch only to the application's role."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL can't be started or stopped; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that accepts connections on a Unix socket.

    `data_dir`: the directory that holds the cluster (`data_dir/postgres`).
    `socket_dir`: a short path; private: only the user who started the server, and root, can connect.
    """

    data_dir: Path
    socket_dir: Path
    port: int
    pid: int

    def url(self, database: str = "holdfast", user: str = SUPERUSER) -> str:
        """Returns a DSN for asyncpg and libpq; SQLAlchemy needs `postgresql+asyncpg://` instead of
        `postgresql://`."""
        where = f"host={quote(str(self.socket_dir), safe='/')}&port={self.port}"
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{where}"

    def app_url(self, database: str = "holdfast") -> str:
        """Returns the application's DSN, with the plain role that `create_login` creates."""
        return self.url(database, LOGIN)

    @property
    def socket(self) -> Path:
        """The socket's path, at most 107 bytes long."""
        return self.socket_dir / f".s.PGSQL.{self.port}"


async def create_database(server: Server, name: str = "holdfast") -> bool:
    """Creates the database. Returns whether it did; False if it existed already."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        quoted = await connection.fetchval("SELECT quote_ident($1)", name)
        await connection.execute(f"CREATE DATABASE {quoted}")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        # UniqueViolation: two processes created it at the same time.
        return False
    finally:
        await connection.close()
    return True


# The lock stops two processes that start at once from creating or altering the same role. Roles belong to the whole
# cluster, so the lock is taken in `postgres`, the database that always exists.
CREATE_LOGIN = f"""
DO $$ BEGIN
    PERFORM pg_advisory_xact_lock({0x686F6C6466617374});
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN}') THEN
        CREATE ROLE {LOGIN} LOGIN;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN}' AND (
               rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR NOT rolcanlogin)) THEN
        ALTER ROLE {LOGIN} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
    END IF;
    IF NOT pg_has_role('{LOGIN}', 'holdfast_app', 'MEMBER') THEN
        GRANT holdfast_app TO {LOGIN};
    END IF;
END $$
"""


async def create_login(server: Server) -> None:
    """Creates the application's login role, or takes from it every power except switching to the application's role.

    Call it after a database on the server was migrated, which creates the application's role.
    """
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(CREATE_LOGIN)
    finally:
        await connection.close()
