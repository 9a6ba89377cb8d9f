"""Commands on directories that are not what they need: those that read create and change nothing, and all of them say
in one sentence what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.identity.issuer import DevIssuer
from tests.commands.harms import (
    CLASSIFIED,
    KEY,
    MAKING,
    NEED_WHAT_IS_THERE,
    NO_PLACE,
    assert_refused,
    every_command,
    tree,
)
from tests.commands.running import Commands
from tests.main.powers import AS_ROOT

NEEDY = {**KEY, **NEED_WHAT_IS_THERE}


def missing(place: Path) -> Path:
    return place / "typo"


def below_a_file(place: Path) -> Path:
    (place / "file").write_text("something else")
    return place / "file" / "data"


def a_file(place: Path) -> Path:
    (place / "data").write_text("something else")
    return place / "data"


def a_circle_of_links(place: Path) -> Path:
    (place / "data").symlink_to(place / "other")
    (place / "other").symlink_to(place / "data")
    return place / "data"


def empty(place: Path) -> Path:
    (place / "data").mkdir(mode=0o700)
    return place / "data"


def of_other_things(place: Path) -> Path:
    (empty(place) / "notes.txt").write_text("something else")
    return place / "data"


def half_made(place: Path) -> Path:
    (empty(place) / "postgres").mkdir(mode=0o700)
    return place / "data"


def of_another_version(place: Path) -> Path:
    cluster = half_made(place) / "postgres"
    (cluster / "PG_VERSION").write_text("11\n")
    (cluster / "global").mkdir()
    (cluster / "global" / "pg_control").write_bytes(b"")
    return place / "data"


LACKING = [
    missing,
    below_a_file,
    a_file,
    a_circle_of_links,
    empty,
    of_other_things,
    half_made,
    of_another_version,
]
IMPOSSIBLE = [below_a_file, a_file, a_circle_of_links, of_another_version]
"""Where nothing can be made either."""


def closed(place: Path) -> Path:
    return of_another_version(place)


def with_a_closed_cluster(place: Path) -> Path:
    of_another_version(place).chmod(0o755)
    return place / "data"


def in_a_closed_directory(place: Path) -> Path:
    place.chmod(0o700)
    return place / "data"


def missing_in_a_directory_of_others(place: Path) -> Path:
    return place / "typo"


FOREIGN = [closed, with_a_closed_cluster, in_a_closed_directory, missing_in_a_directory_of_others]

Make = Callable[[Path], Path]


@pytest.fixture
def place(open_dir: Path, request: pytest.FixtureRequest) -> Path:
    path = open_dir / str(abs(hash(request.node.name)))
    path.mkdir(mode=0o755)
    return path


def test_every_command_is_in_the_table() -> None:
    assert {name.removesuffix(" --down-to") for name in CLASSIFIED} == every_command()


@pytest.mark.parametrize("make", LACKING, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", NEEDY)
def test_what_only_reads_creates_nothing(run: Commands, place: Path, command: str, make: Make) -> None:
    data_dir = make(place)
    before = tree(place)
    assert_refused(run(*NEEDY[command], "--data-dir", data_dir))
    assert tree(place) == before


@pytest.mark.parametrize("make", IMPOSSIBLE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", MAKING)
def test_what_makes_a_database_says_why_it_can_not(
    run: Commands, place: Path, history: Path, command: str, make: Make
) -> None:
    data_dir = make(place)
    words = [word.replace("{file}", str(history)) for word in MAKING[command]]
    assert_refused(run(*words, "--data-dir", data_dir))


@AS_ROOT
@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", {**NEEDY, **MAKING})
def test_another_user_s_place_is_not_touched(
    run: Commands, place: Path, history: Path, somebody: int, command: str, make: Make
) -> None:
    data_dir = make(place)
    before = tree(place)
    words = [word.replace("{file}", str(history)) for word in {**NEEDY, **MAKING}[command]]
    assert_refused(run(*words, "--data-dir", data_dir, uid=somebody))
    assert tree(place) == before


@pytest.mark.parametrize("command", sorted(NO_PLACE.keys() - {"bench"}))
def test_documents_need_no_place(run: Commands, place: Path, command: str) -> None:
    ended = run(*NO_PLACE[command], HOLDFAST_DATA_DIR=str(place / "typo"))
    assert (ended.code, ended.err) == (0, "")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mode"), [("{}", 0o600), ("not JSON", 0o600), ("{}", 0o644), (None, 0o700), ("", 0o600)]
)
def test_a_key_that_is_none_is_named_and_left_alone(
    run: Commands, place: Path, content: str | None, mode: int
) -> None:
    key = empty(place) / "dev-issuer.json"
    if content is None:
        key.mkdir(mode)
    else:
        key.write_text(content)
        key.chmod(mode)
    before = tree(place)
    ended = run(*KEY["token"], "--data-dir", place / "data")
    assert_refused(ended)
    assert str(key) in ended.err
    assert tree(place) == before


def test_a_token_of_an_issuer_that_is_there_changes_nothing(run: Commands, place: Path) -> None:
    DevIssuer.load(place / "data")
    before = tree(place)
    ended = run(*KEY["token"], "--data-dir", place / "data")
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)
    assert tree(place) == before
