"""A running server, its databases, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

SUPERUSER = "postgres"
LOGIN = "holdfast_login"
"""Whom the application logs in as: no superuser, owns nothing, may take on the application's role and no other."""


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

    def app_url(self, database: str = "holdfast") -> str:
        """The DSN that the application is given: of the plain role that `create_login` makes."""
        return self.url(database, LOGIN)

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


# The lock: two processes that start at once would make or change the same role. Roles are the cluster's, so it is taken
# in the one database that there always is.
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
    """The role that the application logs in as is there, and can do no more than take on the application's role.

    Call it when a database of the server was migrated, which makes the application's role.
    """
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(CREATE_LOGIN)
    finally:
        await connection.close()
