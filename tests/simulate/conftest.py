"""The marker of the tests that also run in long campaigns."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: searches for faults; `make soak` lets it search for longer")
