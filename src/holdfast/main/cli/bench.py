"""`holdfast bench`: the benchmarks of the source tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdfast.main.process.outcome import Failed

SOURCE_TREE = Path(__file__).parents[4]


def bench_command(arguments: list[str]) -> int:
    """The exit code of `python -m bench` with these arguments. Raises Failed outside of a source tree."""
    if not (SOURCE_TREE / "bench" / "__main__.py").is_file():
        raise Failed("The benchmarks come with the source tree, not with the package: run make bench there.")
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=SOURCE_TREE, check=False
    ).returncode
