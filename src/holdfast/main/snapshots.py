"""Snapshots of availability, as part of the application."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from holdfast.kernel.config import Settings
from holdfast.live.auditor import Auditor
from holdfast.live.cache import SharedCache
from holdfast.live.freshness import Freshness
from holdfast.live.names import Meanings
from holdfast.live.snapshots import Snapshots


async def start_snapshots(state: Any, settings: Settings, running: AsyncExitStack) -> None:
    """Fills `state.snapshots`, `state.meanings`, `state.auditor` and `state.newest_version`.

    Needs `state.hub`, before it starts.
    """
    fresh = Freshness(state.hub.tail)
    state.hub.listeners.append(fresh.told)
    state.hub.lost.append(fresh.floors.forget_all)
    state.engine.db.after_commit.append(fresh.changed)
    state.meanings = Meanings(fresh)
    snapshots = state.snapshots = Snapshots(
        state.engine.db,
        state.engine.places,
        state.engine.ports.pricing,
        fresh,
        at_once_max=max(1, settings.pool_max // 3),
        shared=_shared_cache(settings.redis_url),
    )
    running.push_async_callback(snapshots.close)
    state.newest_version = snapshots.newest_version
    state.auditor = Auditor(state.engine.db, state.engine.places, snapshots)
    state.auditor.start()
    running.push_async_callback(state.auditor.stop)


def _shared_cache(url: str | None) -> SharedCache | None:
    if url is None:
        return None
    from holdfast.live.redis_cache import RedisCache

    return RedisCache(url)
