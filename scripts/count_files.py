#!/usr/bin/env python3
"""Counts the files of Holdfast that a request runs through, from the socket to the commit and back.

    scripts/count_files.py [--list]

For a booking and for its cancellation it prints how many there are, how many there should be at most, and how often
the call goes from one file to another. `--list` names them in the order in which they are first entered. Each request
is sent twice and the second one counts, so that nothing is loaded or cached for the first time. Background tasks, such
as the tail of the live channels, are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import structlog

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.stand import Stand, stand  # noqa: E402
from holdfast.kernel.config import Settings  # noqa: E402
from holdfast.main.http.app import create_app  # noqa: E402
from holdfast.main.process.listen import address, listen  # noqa: E402
from holdfast.main.process.serve import server_of  # noqa: E402

SOURCE = str(ROOT / "src" / "holdfast") + os.sep
FILES_WANTED = {"POST /bookings": 25, "POST /bookings/{id}/cancel": 20}


class Way:
    """The files in the order in which they were entered first, and how often one followed another."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.changes = 0
        self._last: str | None = None
        self._beside = asyncio.all_tasks()

    def enter(self, frame: Any, event: str, _argument: Any) -> None:
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(SOURCE) or self._is_beside():
            return
        name = path.removeprefix(SOURCE)
        self.files[name] = None
        self.changes += name != self._last
        self._last = name

    def _is_beside(self) -> bool:
        try:
            return asyncio.current_task() in self._beside
        except RuntimeError:
            return True  # another thread


@contextlib.contextmanager
def followed() -> Iterator[Way]:
    way = Way()
    sys.setprofile(way.enter)
    try:
        yield way
    finally:
        sys.setprofile(None)


async def count(made: Stand) -> dict[str, Way]:
    venue = made.venues[0]
    settings = Settings(database_url=made.server.app_url(), data_dir=made.data_dir, request_deadline_s=60)
    server = server_of(create_app(settings), settings)
    listener = await listen("127.0.0.1", 0)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    host, port = address(listener)
    ways: dict[str, Way] = {}
    headers = {"Authorization": f"Bearer {venue.token}"}
    async with httpx.AsyncClient(
        base_url=f"http://{host}:{port}/api/v1", headers=headers, timeout=60
    ) as client:
        for hour in (12, 15):
            start = datetime.datetime.now(ZoneInfo("Europe/Stockholm")) + datetime.timedelta(days=7)
            wanted = {
                "venue_id": str(venue.id),
                "start": start.replace(hour=hour, minute=0, second=0, microsecond=0).isoformat(),
                "party_size": 2,
                "resource_ids": [str(venue.resource_ids[0])],
            }
            with followed() as ways["POST /bookings"]:
                booked = await client.post(
                    "/bookings", json=wanted, headers={"Idempotency-Key": f"count-{hour}"}
                )
            assert booked.status_code == 201, booked.text
            booking = booked.json()
            with followed() as ways["POST /bookings/{id}/cancel"]:
                body = {"expected_version": booking["version"]}
                cancelled = await client.post(f"/bookings/{booking['id']}/cancel", json=body)
            assert cancelled.status_code == 200, cancelled.text
    server.should_exit = True
    await serving
    return ways


async def main() -> None:
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory():
        async with stand(seed=1) as made:
            ways = await count(made)
    for name, way in ways.items():
        print(f"{name}: {len(way.files)} files ({FILES_WANTED[name]} wanted), {way.changes} changes of file")
        if "--list" in sys.argv:
            print("".join(f"  {each}\n" for each in way.files), end="")


if __name__ == "__main__":
    asyncio.run(main())
