"""No test gets lost: every node id is unique, and as many tests have a result as were collected.

pytest-xdist hands tests out by node id, and loses those that share one without a word. conftest.py registers
`Count`: in the workers of pytest-xdist, in their controller, and in a run without them.
"""

from __future__ import annotations

from collections import Counter

import pytest

SHOWN_MAX = 20


class Count:
    """What was collected, what was left out, and what has a result."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collected = self._soak = self._deselected = 0
        self._due: set[str] = set()
        self._ran: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Names the ids that are not unique, and then runs nothing."""
        self._collected = len(items)
        shared = [nodeid for nodeid, times in Counter(item.nodeid for item in items).items() if times > 1]
        if shared:
            items.clear()
            self._fail("node ids that several tests share; give each test its own", shared)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        soak = sum(item.get_closest_marker("soak") is not None for item in items)
        self._soak += soak
        self._deselected += len(items) - soak

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._due.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._due.update(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._ran.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        counted = getattr(node, "workeroutput", {}).get("count")
        if counted is not None:
            self._collected, self._soak, self._deselected = counted

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A run that would pass fails when a test has no result. Workers leave that to their controller."""
        output = getattr(self._config, "workeroutput", None)
        missing = sorted(self._due - self._ran)
        if output is not None:
            output["count"] = [self._collected, self._soak, self._deselected]
        elif missing and exitstatus == pytest.ExitCode.OK and not self._config.option.collectonly:
            self._fail("tests that were collected and have no result", missing)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        left_out = {"soak left out": self._soak, "deselected": self._deselected}
        said = [f"{number} {what}" for what, number in left_out.items() if number]
        line = ", ".join([f"{self._collected} collected", *said, f"{len(self._ran)} ran"])
        terminalreporter.write_line(line)

    def _fail(self, problem: str, nodeids: list[str]) -> None:
        more = [f"and {len(nodeids) - SHOWN_MAX} more"] if len(nodeids) > SHOWN_MAX else []
        text = "\n  ".join([f"{len(nodeids)} {problem}:", *nodeids[:SHOWN_MAX], *more])
        report = pytest.CollectReport(nodeid="tests", outcome="failed", longrepr=text, result=[])
        self._config.hook.pytest_collectreport(report=report)
