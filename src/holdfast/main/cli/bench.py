"""`holdfast bench`: runs the benchmarks of the source tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdfast.main.process.outcome import Failed

SOURCE_TREE = Path(__file__).parents[4]


def bench_command(arguments: list[str]) -> int:
    """Runs `python -m bench` with these arguments; returns its exit code. Raises Failed outside a source tree."""
    if not (SOURCE_TREE / "bench" / "__main__.py").is_file():
        raise Failed("The benchmarks are part of the source tree, not of the package: run make bench there.")
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=SOURCE_TREE, check=False
    ).returncode
