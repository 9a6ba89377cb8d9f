from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.databases import new_cluster
from tests.forks import run
from tests.replay.rows import csv_text

CANCELLED = {"reservation_status": "Canceled", "reservation_status_date": "7/2/2015"}
LATER = {"lead_time": "5"}
NO_NIGHT = {"stays_in_weekend_nights": "0", "stays_in_week_nights": "0"}
RESORT = {"hotel": "Resort Hotel", "reserved_room_type": "B"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("replay") / "data"
    new_cluster(data_dir)
    return data_dir


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two who stayed, one who cancelled before the second of them booked, a bad row, and one for whom the
    resort has no room."""
    path = tmp_path / "history.csv"
    path.write_text(csv_text({}, CANCELLED, NO_NIGHT, LATER, {**RESORT, **CANCELLED}))
    return path


def holdfast(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run([*map(str, arguments)], timeout_s=240, env={**os.environ, "COLUMNS": "100"})


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout.splitlines()[-1])


def is_stopped(data_dir: Path) -> bool:
    return not (data_dir / "postgres" / "postmaster.pid").exists()


def test_json_is_the_last_line_and_a_second_run_stands_beside_the_first(file: Path, data_dir: Path) -> None:
    once = figures(holdfast("replay", file, "--data-dir", data_dir, "--json"))
    expected = {
        "bookings": 4,
        "accepted": 3,
        "refused": 1,
        "refused_by_code": {"INVALID_REQUEST": 1},
        "cancelled": 1,
        "no_show": 0,
        "completed": 2,
        "refused_but_stayed": 0,
        "bad_rows": 1,
        "bad_rows_by_problem": {"a stay of 0 nights": {"count": 1, "lines": [4]}},
        "operations": 9,
        "audit_ok": True,
        "picture": str(data_dir / "occupancy.svg"),
    }
    assert {name: once[name] for name in expected} == expected
    assert 0 < once["seconds"] < 60
    assert once["bookings_per_s"] == pytest.approx(4 / once["seconds"], rel=0.1)
    assert (data_dir / "occupancy.svg").read_text().startswith("<svg ")
    assert is_stopped(data_dir)
    again = figures(holdfast("replay", file, "--data-dir", data_dir, "--json"))
    assert {name: again[name] for name in expected} == expected
    assert {hotel["tenant"] for hotel in once["hotels"]}.isdisjoint(
        hotel["tenant"] for hotel in again["hotels"]
    )


def test_people_get_tables_and_a_picture_where_they_want_it(
    file: Path, data_dir: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "full.svg"
    done = holdfast("replay", file, "--data-dir", data_dir, "--picture", picture)
    assert done.returncode == 0, done.stderr
    assert "3 of 4 bookings accepted (75.0 %)" in done.stdout
    assert "Audit: ok" in done.stdout
    assert f"Picture: {picture}" in done.stdout
    assert "4 bookings of history.csv replayed: 3 accepted, 1 refused" in picture.read_text()
    assert is_stopped(data_dir)


@pytest.mark.parametrize("arguments", [("nothing.csv",), ("{file}", "--picture", "/nowhere/at/all.svg")])
def test_what_won_t_do_is_said_before_anything_is_started(
    file: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    given = [each.replace("{file}", str(file)) for each in arguments]
    done = holdfast("replay", *given, "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stdout) == (2, "")
    assert "can't be" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
