"""The progress of commands that take long: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TextColumn

LINE_EVERY_S = 5.0
JOIN_TIMEOUT_S = 5.0


@contextmanager
def progress(
    name: str, *columns: ProgressColumn, total: float, every_s: float = LINE_EVERY_S
) -> Iterator[Callable[..., None]]:
    """Yields a function that reports progress, with the arguments of `Progress.update`, and shows it on standard error.

    `name`: what goes on, such as "auditing". `every_s`: seconds between two lines where that is no terminal.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        with _lines(HowFar(name, total), every_s) as report:
            yield report.update
        return
    with Progress(TextColumn(name), *columns, console=console, transient=True) as bar:
        yield partial(bar.update, bar.add_task("", total=total))


class HowFar:
    """How far something is, as a line of text. `total`: in units of its own, such as days or checks; 0: not known."""

    def __init__(self, name: str, total: float) -> None:
        self._name = name
        self._total = total
        self._done = 0.0
        self._at = ""
        self._started = time.monotonic()

    def update(
        self, *, completed: float | None = None, advance: float = 0, description: str = "", **_: Any
    ) -> None:
        self._done = (self._done if completed is None else completed) + advance
        self._at = description

    def line(self) -> str:
        far = ""
        if self._total:
            far = f" {_number(self._done)} of {_number(self._total)} ({self._done / self._total:.0%}),"
        at = f", {self._at}" if self._at else ""
        return f"{self._name}:{far} {time.monotonic() - self._started:.0f} s{at}"


@contextmanager
def _lines(report: HowFar, every_s: float, out: TextIO | None = None) -> Iterator[HowFar]:
    """Prints a line every `every_s` seconds, however seldom there is an update: from a thread, as the event loop may be
    busy with the work itself."""
    ended = threading.Event()

    def print_lines() -> None:
        while not ended.wait(every_s):
            print(report.line(), file=out or sys.stderr, flush=True)

    thread = threading.Thread(target=print_lines, name="progress", daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join(JOIN_TIMEOUT_S)


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
