"""A progress bar for commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import Progress, ProgressColumn


@contextmanager
def progress(*columns: ProgressColumn, total: float) -> Iterator[Callable[..., None]]:
    """Yields a function that reports progress, with the arguments of `Progress.update`; shows a bar if standard error
    is a terminal."""
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield partial(bar.update, bar.add_task("", total=total))
