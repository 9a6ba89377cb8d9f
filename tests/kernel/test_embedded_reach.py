"""What the user who runs PostgreSQL may reach: the way to its files, and nothing beside it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.kernel.embedded import EmbeddedPostgresError
from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.cluster import BASE, socket_dir_for
from holdfast.kernel.files.acl import (
    GROUP_OBJ,
    MASK,
    OTHER,
    USER,
    USER_OBJ,
    AclEntry,
    allow_traverse,
    open_tree,
    with_traverse,
)

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it acts as other users")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that only its owner can enter, itself in a place that everybody can reach."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@AS_ROOT
def test_somebody_else_s_socket_directory_is_refused(place: Path) -> None:
    alice = Account(name="alice", uid=12345, gid=12345, drop=True)
    taken = socket_dir_for(place, alice)
    try:
        os.chown(taken, 54321, 54321)
        with pytest.raises(EmbeddedPostgresError, match="belongs to another user, 54321"):
            socket_dir_for(place, alice)
        taken.rmdir()
        taken.symlink_to(place)
        with pytest.raises(EmbeddedPostgresError, match="not a directory"):
            socket_dir_for(place, alice)
        assert taken.parent == BASE
    finally:
        taken.unlink()


@AS_ROOT
def test_traverse_is_all_that_is_given(place: Path) -> None:
    inner = place / "inner"
    inner.mkdir(mode=0o700)
    (inner / "secret").write_text("x")
    alice = Account(name="alice", uid=12345, gid=12345, drop=True)
    bob = Account(name="bob", uid=12346, gid=12346, drop=True)
    allow_traverse(inner / "secret", alice)

    (inner / "secret").chmod(0o644)
    alice.run(["cat", inner / "secret"])
    with pytest.raises(EmbeddedPostgresError, match="denied"):
        alice.run(["ls", inner])
    with pytest.raises(EmbeddedPostgresError, match="denied"):
        bob.run(["cat", inner / "secret"])
    place.chmod(0o700)  # As an administrator may do later: it takes the entry's effect away.
    allow_traverse(inner / "secret", alice)
    alice.run(["cat", inner / "secret"])


def test_the_mask_lets_nothing_else_through() -> None:
    acl = [
        AclEntry(USER_OBJ, 7),
        AclEntry(USER, 7, 4),
        AclEntry(USER, 4, 9),
        AclEntry(GROUP_OBJ, 5),
        AclEntry(MASK, 4),
        AclEntry(OTHER, 0),
    ]
    assert with_traverse(acl, 7) == [
        AclEntry(USER_OBJ, 7),
        AclEntry(USER, 6, 4),
        AclEntry(USER, 1, 7),
        AclEntry(USER, 4, 9),
        AclEntry(GROUP_OBJ, 4),
        AclEntry(MASK, 5),
        AclEntry(OTHER, 0),
    ]


def test_an_opened_tree_can_be_read_and_not_written(tmp_path: Path) -> None:
    program, text = tmp_path / "program", tmp_path / "text"
    program.touch(mode=0o700)
    text.touch(mode=0o600)
    tmp_path.chmod(0o700)
    open_tree(tmp_path)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, program, text)]
    assert modes == [0o705, 0o705, 0o604]
