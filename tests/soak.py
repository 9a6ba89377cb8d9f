"""Long campaigns: tests marked `soak` run with HOLDFAST_SOAK=1 alone (`make soak`).

Other runs count them as deselected. conftest.py imports `pytest_collection_modifyitems` from here.
"""

from __future__ import annotations

import os

import pytest


def soaking() -> bool:
    """Whether this is a run of long campaigns."""
    return os.environ.get("HOLDFAST_SOAK", "") not in ("", "0")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long campaigns out, and has the run's last line say how many."""
    if soaking():
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
