"""What this suite promises of itself, shown on small suites of its own: no test is lost, `alone` is alone."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alone import AloneLast

ROOT = Path(__file__).parents[1]
HEAVY = ("asyncio", "schemathesis", "hypothesispytest", "anyio", "timeout", "cacheprovider")
SUITE = """
import pytest
from tests.alone import Alone
from tests.count import Count
from tests.soak import pytest_collection_modifyitems

def pytest_configure(config):
    for marker in ("alone", "soak"):
        config.addinivalue_line("markers", marker)
    for plugin in (Count, Alone):
        config.pluginmanager.register(plugin(config))

def pytest_pycollect_makeitem(collector, name, obj):
    if name == "test_shared":
        return [pytest.Function.from_parent(collector, name=name, callobj=obj) for _ in range(2)]

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return True if item.name == "test_lost" else None
"""
TESTS = """
import pytest

@pytest.mark.soak
def test_long(): pass

@pytest.mark.skip
def test_skipped(): pass

@pytest.mark.parametrize("n", range(4))
def test_quick(n): pass
"""

ways = pytest.mark.parametrize("options", [["-n0"], ["-n2"]], ids=["one process", "two workers"])


def run_suite(place: Path, tests: str, options: list[str]) -> tuple[int, str]:
    """The exit code and the output of a run of these tests."""
    (place / "conftest.py").write_text(SUITE)
    (place / "test_small.py").write_text(TESTS + tests)
    without = [word for name in HEAVY for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", *without, *options, str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr


def test_as_many_run_as_were_collected(tmp_path: Path) -> None:
    code, said = run_suite(tmp_path, "", ["-n0"])
    assert code == 0, said
    assert "6 collected, 1 soak left out, 5 ran" in said.splitlines()[-2], said


@ways
def test_ids_that_tests_share_are_named_and_nothing_runs(tmp_path: Path, options: list[str]) -> None:
    code, said = run_suite(tmp_path, "def test_shared(): pass", options)
    assert code not in (0, 5), said
    assert "1 node ids that several tests share" in said
    assert "test_small.py::test_shared" in said
    assert "passed" not in said


@ways
def test_a_test_without_a_result_fails_the_run_and_is_named(tmp_path: Path, options: list[str]) -> None:
    code, said = run_suite(tmp_path, "def test_lost(): pass", options)
    assert code == 1, said
    assert "1 tests that were collected and have no result" in said
    assert "test_small.py::test_lost" in said
    assert "7 collected, 1 soak left out, 5 ran" in said
    assert "1 error" in said.splitlines()[-1]


@dataclass(eq=False)
class Worker:
    """Does with its tests what a worker of pytest-xdist does: it starts one only when it knows the next."""

    queue: list[int] = field(default_factory=list)
    running: int | None = None
    asked_for: set[int] | None = None
    shutting_down: bool = False
    gateway: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(id="worker"))

    def send_runtest_some(self, indices: list[int]) -> None:
        self.queue.extend(indices)

    def send_steal(self, indices: list[int]) -> None:
        self.asked_for = set(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


class Run:
    """A run of tests by the scheduler, in an order of its own: what pytest-xdist's controller does."""

    def __init__(
        self, marked: Path, tests: int, workers: int, chance: random.Random, *, crashes: int = 0
    ) -> None:
        config: Any = SimpleNamespace(getvalue=lambda _name: [f"{workers}*popen"])
        self.scheduler: Any = AloneLast(config, SimpleNamespace(workstealsched=lambda *_: None), marked)
        self.workers = [Worker() for _ in range(workers)]
        self.chance = chance
        self.crashes = crashes
        self.ids = [str(index) for index in range(tests)]
        self.started: list[tuple[int, list[Worker]]] = []
        """Of each test, in order: which, and the other workers; after a crash, those with something to do."""
        self.has_crashed = False
        for worker in self.workers:
            self.scheduler.add_node(worker)
        for worker in self.workers:
            self.scheduler.add_node_collection(worker, self.ids)
        self.scheduler.schedule()

    def to_the_end(self) -> None:
        while self.workers:
            if self.scheduler.tests_finished:
                for worker in self.workers:
                    worker.shutdown()
            self.chance.choice([step for worker in self.workers for step in self.steps(worker)])()

    def steps(self, worker: Worker) -> list[Callable[[], None]]:
        """What can happen next at this worker."""
        steps: list[Callable[[], None]] = []
        if worker.running is not None:
            steps.append(lambda: self.finish(worker))
        elif len(worker.queue) > (0 if worker.shutting_down else 1):
            steps.append(lambda: self.begin(worker))
        elif worker.shutting_down:
            steps.append(lambda: self.leave(worker))
        if worker.asked_for is not None:
            steps.append(lambda: self.give_back(worker))
        if worker.running is not None and self.crashes:
            steps.append(lambda: self.crash(worker))
        return steps

    def begin(self, worker: Worker) -> None:
        others = [each for each in self.workers if each is not worker]
        worker.running = worker.queue.pop(0)
        if self.has_crashed:
            others = [each for each in others if each.queue or each.running is not None]
        self.started.append((worker.running, others))

    def finish(self, worker: Worker) -> None:
        done, worker.running = worker.running, None
        self.scheduler.mark_test_complete(worker, done)

    def give_back(self, worker: Worker) -> None:
        asked, worker.asked_for = worker.asked_for or set(), None
        # The first of the queue is in the worker's hands already. It gives all or none.
        given = asked if asked <= set(worker.queue[1:]) else set()
        worker.queue = [index for index in worker.queue if index not in given]
        self.scheduler.remove_pending_tests_from_node(worker, sorted(given))

    def crash(self, worker: Worker) -> None:
        """It is gone with its test; another takes its place."""
        self.crashes -= 1
        self.has_crashed = True
        self.workers.remove(worker)
        assert self.scheduler.remove_node(worker) == str(worker.running)
        other = Worker()
        self.workers.append(other)
        self.scheduler.add_node(other)
        self.scheduler.add_node_collection(other, self.ids)
        self.scheduler.schedule()

    def leave(self, worker: Worker) -> None:
        self.workers.remove(worker)
        assert self.scheduler.remove_node(worker) is None


@given(
    alone=st.lists(st.booleans(), max_size=24),
    workers=st.integers(1, 3),
    crashes=st.integers(0, 2),
    seed=st.integers(0, 2**32),
)
def test_every_test_runs_once_and_the_alone_ones_last_on_the_only_worker_left(
    tmp_path_factory: pytest.TempPathFactory, alone: list[bool], workers: int, crashes: int, seed: int
) -> None:
    marked = tmp_path_factory.getbasetemp() / "marked"
    marked.write_text("\n".join(str(index) for index, is_alone in enumerate(alone) if is_alone))
    run = Run(marked, len(alone), workers, random.Random(seed), crashes=crashes)
    run.to_the_end()
    order = [index for index, _ in run.started]
    assert sorted(order) == list(range(len(alone)))
    assert [alone[index] for index in order] == sorted(alone)
    assert not any(others for index, others in run.started if alone[index])
