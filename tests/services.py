"""The services that tests need beside the package: where they are, and what happens without them.

`scripts/test-services` installs them. A test asks with `postgres15()`; without the service it is
skipped, and the end of the run says so loudly. With HOLDFAST_REQUIRE_SERVICES=1 it fails instead.
conftest.py imports `pytest_terminal_summary` from here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

POSTGRES_15 = "PostgreSQL 15, the oldest supported version"
POSTGRES_15_PLACES = (
    "/usr/lib/postgresql/15/bin",  # Debian, Ubuntu
    "/usr/pgsql-15/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql@15/bin",
    "/usr/local/opt/postgresql@15/bin",
)

_left_out: dict[str, set[str]] = {}


def postgres15_bin() -> Path | None:
    """The directory of PostgreSQL 15's programs (HOLDFAST_POSTGRES15_BIN or a usual place), if any."""
    named = os.environ.get("HOLDFAST_POSTGRES15_BIN")
    places = [Path(place) for place in ((named,) if named else POSTGRES_15_PLACES)]
    return next((place for place in places if (place / "postgres").is_file()), None)


def postgres15() -> Path:
    """The same for a test that can't do without: it is skipped or, if services are required, fails."""
    found = postgres15_bin()
    if found is None:
        leave_out(POSTGRES_15)
    return found


def leave_out(service: str) -> NoReturn:
    """Ends the running test, because `service` is not here."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "?").rpartition(" ")[0]
    _left_out.setdefault(service, set()).add(test)
    if services_required():
        pytest.fail(f"{service} is not installed, and HOLDFAST_REQUIRE_SERVICES=1: run scripts/test-services")
    pytest.skip(f"{service} is not installed: run scripts/test-services")


def services_required() -> bool:
    """Whether a missing service is a failure."""
    return os.environ.get("HOLDFAST_REQUIRE_SERVICES", "") not in ("", "0")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end of the run which services were missing and what was not tested for that."""
    for service, tests in sorted(_left_out.items()):
        terminalreporter.section(f"NOT TESTED: {service} is missing", sep="!", red=True, bold=True)
        for test in sorted(tests):
            terminalreporter.write_line(f"  {test}", red=True)
        terminalreporter.write_line("Run scripts/test-services as root, or install it by hand.")
