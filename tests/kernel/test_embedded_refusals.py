"""What the embedded PostgreSQL can't do, and that it says why and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.kernel.embedded import EmbeddedPostgres, EmbeddedPostgresError
from holdfast.kernel.embedded.account import account_for
from holdfast.kernel.embedded.cluster import socket_dir_of


def test_a_server_that_can_not_start_says_why(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        EmbeddedPostgres(data_dir, {"no_such_setting": "1"}).start()
    cluster = data_dir / "postgres"
    assert not socket_dir_of(cluster, account_for(cluster)).exists()


def test_a_cluster_of_another_version_is_refused(tmp_path: Path) -> None:
    cluster = tmp_path / "data" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 17, but this is 18"):
        EmbeddedPostgres(tmp_path / "data").start()


def test_a_directory_without_postgres_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="no PostgreSQL in"):
        EmbeddedPostgres(tmp_path / "data", bin_dir=tmp_path).start()
