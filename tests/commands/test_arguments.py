"""Commands given a port in use or a file that won't do: one sentence, before anything is made."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.harms import MAKING, assert_refused
from tests.commands.running import Commands
from tests.main.powers import AS_ROOT


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_port_in_use_is_said_before_anything_is_made(run: Commands, tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(command, "--port", str(port), "--data-dir", tmp_path / "data")
    assert_refused(ended)
    assert f"Port {port} on 127.0.0.1 is in use" in ended.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.1", "not an address"])
def test_an_address_to_listen_on_that_is_none(run: Commands, tmp_path: Path, host: str) -> None:
    ended = run("serve", "--port", "0", "--host", host, "--data-dir", tmp_path / "data")
    assert_refused(ended)
    assert f"of {host} (" in ended.err
    assert not (tmp_path / "data").exists()


def test_a_port_of_the_metrics_in_use(run: Commands, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        # With a database of one's own, as it is started as root otherwise only in a child.
        url = "postgresql://nobody@127.0.0.1:1/x"
        ended = run("work", HOLDFAST_DATABASE_URL=url, HOLDFAST_WORKER_METRICS_PORT=port)
    assert_refused(ended)
    assert "HOLDFAST_WORKER_METRICS_PORT" in ended.err


def another_table(file: Path) -> None:
    file.write_text("name,price\nSoup,9\n")


def a_picture(file: Path) -> None:
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))


def cut_off(file: Path) -> None:
    file.write_bytes(gzip.compress(b"hotel,lead_time\n" * 100)[:40])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def a_directory(file: Path) -> None:
    file.mkdir()


def missing(file: Path) -> None:
    pass


def below_a_file(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("")


def a_circle_of_links(file: Path) -> None:
    file.symlink_to(file)


NO_HISTORIES = [
    another_table,
    a_picture,
    cut_off,
    empty,
    a_directory,
    missing,
    below_a_file,
    a_circle_of_links,
]


@pytest.mark.parametrize("make", NO_HISTORIES, ids=lambda make: make.__name__)
def test_a_file_that_is_no_booking_history(
    run: Commands, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "files").mkdir()
    make(tmp_path / "files" / "history.csv")
    ended = run("replay", tmp_path / "files" / "history.csv", "--data-dir", tmp_path / "data")
    assert_refused(ended)
    assert ended.code == 2
    assert not (tmp_path / "data").exists()


@AS_ROOT
def test_another_user_s_file_is_not_a_traceback(
    run: Commands, open_dir: Path, history: Path, somebody: int, tmp_path: Path
) -> None:
    closed = open_dir / "closed.csv"
    closed.write_bytes(history.read_bytes())
    closed.chmod(0o600)
    ended = run("replay", closed, "--data-dir", tmp_path / "data", uid=somebody)
    assert_refused(ended)
    assert "permission denied" in ended.err.lower()


@pytest.mark.parametrize("picture", ["nowhere/at/all.svg", ".", "history.csv/chart.svg"])
def test_a_place_for_the_chart_that_is_none(
    run: Commands, open_dir: Path, history: Path, tmp_path: Path, picture: str
) -> None:
    words = ("--picture", open_dir / picture, "--data-dir", tmp_path / "data")
    assert_refused(run("replay", history, *words))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "--days", "0"),
        ("simulate", "--guests", "-1"),
        ("simulate", "--seed", "99999999999999999999"),
        ("token", "--role", "king"),
        ("token", "--role", "staff"),
        ("token", "--role", "platform_admin", "--ttl", "forever"),
        ("dead-letters", "show", "the last one"),
        ("dead-letters", "replay", ""),
    ],
    ids=" ".join,
)
def test_a_value_out_of_range(run: Commands, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    ended = run(*words, "--data-dir", tmp_path / "data")
    assert_refused(ended)
    assert ended.code == 2
    assert list((tmp_path / "data").iterdir()) == []


def test_the_table_has_the_commands_that_take_a_port() -> None:
    assert {name for name, words in MAKING.items() if "--port" in words} == {"up", "serve"}
