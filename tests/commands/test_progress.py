"""Long work says how far it is: without a terminal too."""

from __future__ import annotations

import io
import re
import threading

import pytest

from holdfast.main.cli import progress as module
from holdfast.main.cli.progress import HowFar, progress
from tests.processes import SOON_S


class Lines(io.StringIO):
    """What is printed; an event for the third line."""

    def __init__(self) -> None:
        super().__init__()
        self.three = threading.Event()

    def write(self, text: str, /) -> int:
        written = super().write(text)
        if self.getvalue().count("\n") >= 3:
            self.three.set()
        return written


def test_lines_come_without_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    monkeypatch.setattr(module.sys, "stderr", lines)
    with progress("simulating", total=8, every_s=0.001) as update:
        update(completed=2, description="day 2")
        assert lines.three.wait(SOON_S)
    said = lines.getvalue().splitlines()
    assert len(said) >= 3
    assert all(
        re.fullmatch(r"simulating: 0 of 8 \(0%\), \d+ s|simulating: 2 of 8 \(25%\), \d+ s, day 2", each)
        for each in said
    )
    assert threading.active_count() == len(
        [each for each in threading.enumerate() if each.name != "progress"]
    )


def test_a_line_says_how_far() -> None:
    report = HowFar("replaying", 48_000)
    report.update(advance=12_000)
    report.update(advance=12_000)
    assert report.line() == "replaying: 24,000 of 48,000 (50%), 0 s"


def test_without_a_total_it_says_for_how_long() -> None:
    assert HowFar("migrating", 0).line() == "migrating: 0 s"
