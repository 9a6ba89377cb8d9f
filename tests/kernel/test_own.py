"""What somebody else may have put into the data directory, or could read there, is not used."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.kernel.embedded.account import Account
from holdfast.kernel.files.acl import PathError, allow_traverse
from holdfast.kernel.files.own import open_own, own_directory, read_secret

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it acts as other users")
ALICE, MALLORY = 12345, 54321


@contextmanager
def acting_as(uid: int, *, group: int | None = None) -> Iterator[None]:
    """The files are opened by that user for the block, which root's rights do not help."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(uid if group is None else group)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can enter."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path, *, uid: int | None = None, mode: int = 0o600) -> Path:
    path.write_text("secret")
    path.chmod(mode)
    if uid is not None:
        os.chown(path, uid, uid)
    return path


# --- the directory ----------------------------------------------------------------------------


def test_a_new_one_is_closed_whatever_the_umask(place: Path) -> None:
    before = os.umask(0)
    try:
        assert own_directory(place / "a" / "data") == place / "a" / "data"
    finally:
        os.umask(before)
    assert mode_of(place / "a" / "data") == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o710, 0o701, 0o770, 0o777, 0o705])
@pytest.mark.parametrize(
    "holds", [None, "postgres", "postgres.new", "dev-issuer.json", ".dev-issuer-x", "lost+found"]
)
def test_one_that_is_open_to_others_is_closed(place: Path, mode: int, holds: str | None) -> None:
    data = place / "data"
    data.mkdir()
    if holds:
        (data / holds).mkdir()
    data.chmod(mode)
    (place / "link").symlink_to(data)
    assert own_directory(place / "link") == data
    assert mode_of(data) == 0o700


@pytest.mark.parametrize(("mode", "holds"), [(0o755, "README.md"), (0o1777, None), (0o1777, "postgres")])
def test_one_that_others_use_is_neither_closed_nor_used(place: Path, mode: int, holds: str | None) -> None:
    data = place / "data"
    data.mkdir()
    if holds:
        (data / holds).touch()
    data.chmod(mode)
    with pytest.raises(PathError, match=rf"choose a separate data directory.*chmod 700 {data}"):
        own_directory(data)
    assert mode_of(data) == mode


@AS_ROOT
@pytest.mark.parametrize("planted", ["postgres", "postgres.gate", "dev-issuer.json"])
@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_one_in_which_somebody_else_has_written_is_refused(place: Path, planted: str, mode: int) -> None:
    data = place / "data"
    data.mkdir()
    (data / planted).mkdir()
    os.chown(data / planted, MALLORY, MALLORY)
    data.chmod(mode)
    for _ in range(2):  # It was not closed, which would hide that the second time.
        with pytest.raises(PathError, match=f"{planted} in it belongs to user {MALLORY}: remove it"):
            own_directory(data)


@AS_ROOT
def test_what_passes_through_for_postgres_stays(place: Path) -> None:
    data = own_directory(place / "data")
    alice = Account(name="alice", uid=ALICE, gid=ALICE, drop=True)
    written(data / "postgres", mode=0o644)
    allow_traverse(data / "postgres", alice)
    for _ in range(2):
        own_directory(data)
        assert alice.run(["cat", data / "postgres"]) == "secret"
        for group in (MALLORY, data.stat().st_gid):
            with acting_as(MALLORY, group=group):
                with pytest.raises(PermissionError):
                    os.listdir(data)
                with pytest.raises(PermissionError):
                    os.stat(data / "postgres")
    with acting_as(ALICE), pytest.raises(PermissionError):
        os.listdir(data)
    data.chmod(0o755)  # Widened by hand: closed again, and opened to pass through at the next start.
    own_directory(data)
    assert mode_of(data) == 0o700


@AS_ROOT
def test_somebody_else_s_is_left_as_it_is(place: Path) -> None:
    data = place / "data"
    data.mkdir()
    os.chown(data, ALICE, ALICE)
    assert own_directory(data) == data
    assert mode_of(data) == 0o755


# --- a secret ---------------------------------------------------------------------------------


def test_a_secret_of_one_s_own_is_read(place: Path) -> None:
    assert read_secret(written(place / "key")) == b"secret"


def a_link(path: Path) -> None:
    path.symlink_to(written(path.with_name("elsewhere")))


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def a_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def a_directory(path: Path) -> None:
    path.mkdir(mode=0o700)


@pytest.mark.parametrize("plant", [a_link, a_link_to_nothing, a_pipe, a_directory])
def test_what_is_no_regular_file_is_refused_without_waiting(
    place: Path, plant: Callable[[Path], None]
) -> None:
    plant(place / "key")
    with pytest.raises(PathError, match=r"key is not a regular file.*: remove it"):
        read_secret(place / "key")
    with pytest.raises(PathError, match=r"key is not a regular file.*: remove it"):
        os.close(open_own(place / "key", os.O_RDWR | os.O_CREAT))
    assert not (place / "nowhere").exists()


@AS_ROOT
def test_a_secret_of_another_user_is_refused_to_root_and_to_others(place: Path) -> None:
    planted = written(place / "key", uid=MALLORY)
    with pytest.raises(
        PathError, match=rf"belongs to user {MALLORY}, but this is root: .*chown root {planted}"
    ):
        read_secret(planted)
    planted.chmod(0o644)
    with acting_as(ALICE), pytest.raises(PathError, match=f"belongs to user {MALLORY}, but this is {ALICE}"):
        read_secret(planted)


@AS_ROOT
def test_an_ordinary_user_has_the_secret_alone(place: Path) -> None:
    own = written(place / "key", uid=ALICE)
    with acting_as(ALICE):
        assert read_secret(own) == b"secret"
    with acting_as(MALLORY), pytest.raises(PathError, match="permission denied"):
        read_secret(own)


@AS_ROOT
def test_a_lock_of_another_user_is_refused(place: Path) -> None:
    planted = written(place / "postgres.gate", uid=MALLORY, mode=0o666)
    with acting_as(ALICE), pytest.raises(PathError, match=f"belongs to user {MALLORY}"):
        os.close(open_own(planted, os.O_RDWR | os.O_CREAT))
