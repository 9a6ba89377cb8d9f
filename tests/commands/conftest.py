"""What runs commands, and what they are given."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.kernel.embedded.account import app_account
from tests.commands.running import Commands
from tests.replay.rows import csv_text


@pytest.fixture(scope="package")
def open_dir() -> Iterator[Path]:
    """A directory that every user can reach."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="package")
def run(open_dir: Path) -> Commands:
    return Commands(open_dir)


@pytest.fixture(scope="package")
def history(open_dir: Path) -> Path:
    """A booking history that can be replayed."""
    path = open_dir / "history.csv"
    path.write_text(csv_text({}))
    path.chmod(0o644)
    return path


@pytest.fixture(scope="package")
def somebody() -> int:
    """The id of an ordinary user, who isn't the one whose places these are."""
    account = app_account()
    assert account is not None
    assert account.uid != os.geteuid()
    return account.uid
