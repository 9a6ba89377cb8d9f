"""How many streams there is room for."""

from __future__ import annotations

import resource

import pytest

from holdfast.main.process.serve import SPARE, room_for_streams


@pytest.mark.parametrize(
    ("hard", "room"), [(1_000, 1_000 - SPARE), (100_000, 20_000), (resource.RLIM_INFINITY, 20_000), (10, 1)]
)
def test_streams_leave_room_for_the_rest(monkeypatch: pytest.MonkeyPatch, hard: int, room: int) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert room_for_streams(20_000) == room
    assert asked == [(hard, hard)]


def test_what_is_not_granted_is_not_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not granted")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert room_for_streams(20_000) == 1_024 - SPARE
