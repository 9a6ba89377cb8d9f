"""Tests marked `alone` run after all others, one at a time: they are about seconds.

conftest.py registers `Alone`. Workers write down the ids of such tests for their controller, since pytest-xdist
tells it nothing of markers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import WorkStealingScheduling
from xdist.scheduler.worksteal import MIN_PENDING

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class AloneLast(WorkStealingScheduling):
    """Shares out the others first; when they have ended, and all workers but one, that one gets the rest.

    Half of the tests each, in their order, and whoever is idle takes half of what another has left: so folders
    stay together, and most of their fixtures are made once.
    """

    def __init__(self, config: pytest.Config, log: Any, marked: Path) -> None:
        super().__init__(config, log)
        self._marked = marked
        self._alone: list[int] | None = None
        self._is_last = False

    @property
    def tests_finished(self) -> bool:
        return not self._alone and super().tests_finished

    def check_schedule(self) -> None:
        if self._alone is None and self.collection is not None:
            self._put_aside(self.collection)
        if self._is_last:
            self._end()
        elif not self._alone:
            super().check_schedule()
        else:
            self._share(self._idle())
            if self._nothing_to_steal():
                self._leave_one()
            else:
                super().check_schedule()

    def _put_aside(self, collection: list[str]) -> None:
        marked = set(self._marked.read_text().splitlines())
        self._alone = [index for index in self.pending if collection[index] in marked]
        self.pending = [index for index in self.pending if collection[index] not in marked]

    def _idle(self) -> list[WorkerController]:
        # A worker keeps its last test back until it knows what comes after it.
        return [node for node in self._up() if len(self.node2pending[node]) < MIN_PENDING]

    def _up(self) -> list[WorkerController]:
        return [node for node in self.nodes if not node.shutting_down]

    def _share(self, nodes: list[WorkerController]) -> None:
        for index, node in enumerate(nodes):
            self._send_tests(node, len(self.pending) // (len(nodes) - index))

    def _nothing_to_steal(self) -> bool:
        longest = max((len(self.node2pending[node]) for node in self._up()), default=0)
        return not self.pending and self.steal_requested_from_node is None and longest <= MIN_PENDING

    def _leave_one(self) -> None:
        """Ends the idle workers but one; that one does what was put aside as soon as no other is left."""
        idle = self._idle()
        for node in idle[1:] if idle == self._up() else idle:
            node.shutdown()
        if len(idle) == len(self.nodes) == 1:
            self.pending, self._alone, self._is_last = self._alone or [], [], True
            self._end()

    def _end(self) -> None:
        """The worker that is left does all there is. One that comes in place of one that crashed does so too."""
        for node in self._up():
            self._send_tests(node, len(self.pending))
            node.shutdown()


class Alone:
    """The plugin, in the controller of pytest-xdist, in its workers, and in a run without them."""

    def __init__(self, config: pytest.Config) -> None:
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self._marked = Path(given["marked_alone"]) if given else self._make_file(config)

    def _make_file(self, config: pytest.Config) -> Path:
        directory = tempfile.TemporaryDirectory(prefix="holdfast-alone-")
        config.add_cleanup(directory.cleanup)
        file = Path(directory.name, "marked")
        file.touch()  # workers that can collect nothing write none
        return file

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=_is_alone)
        self._marked.write_text("\n".join(item.nodeid for item in items if _is_alone(item)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        node.workerinput["marked_alone"] = str(self._marked)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> AloneLast:
        return AloneLast(config, log, self._marked)


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None
