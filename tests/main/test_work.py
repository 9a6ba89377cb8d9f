"""`holdfast work` as a process: its metrics have a port of their own, when it is given one."""

from __future__ import annotations

import socket
import urllib.request
from asyncio import to_thread
from pathlib import Path

from tests.processes import PATIENT_S, reserved_port, running, start, status, until


def read(port: int) -> bytes:
    if status(port, "/metrics") != 200:
        return b""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.read()


async def test_it_answers_with_its_metrics(database_url: str, tmp_path: Path) -> None:
    settings = {"database_url": database_url, "data_dir": tmp_path, "unsafe_database": 1}
    with reserved_port() as port:
        async with running("work", log=tmp_path / "work.log", worker_metrics_port=port, **settings):

            async def ticked() -> bool:
                return b'holdfast_tick_runs_total{outcome="done",tick="expire"}' in await to_thread(
                    read, port
                )

            await until(ticked)
        assert status(port, "/metrics") is None


async def test_a_port_that_is_taken_is_named(database_url: str, tmp_path: Path) -> None:
    settings = {"database_url": database_url, "data_dir": tmp_path, "unsafe_database": 1}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = start("work", log=tmp_path / "work.log", worker_metrics_port=port, **settings)
        assert await to_thread(worker.process.wait, PATIENT_S) == 1
    assert f"127.0.0.1:{port}" in worker.log.read_text()
    assert "HOLDFAST_WORKER_METRICS_PORT" in worker.log.read_text()
