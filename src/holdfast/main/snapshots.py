"""Snapshots of availability, as part of the application."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from holdfast.kernel.config import Settings
from holdfast.live.auditor import Auditor
from holdfast.live.cache import SharedCache
from holdfast.live.snapshots import Snapshots


async def start_snapshots(state: Any, settings: Settings, running: AsyncExitStack) -> None:
    """Fills `state.snapshots`, `state.auditor` and `state.newest_version`; needs `state.hub`, before it starts."""
    snapshots = Snapshots(
        state.db, state.places, state.pricing, state.hub.tail, shared=_shared_cache(settings.redis_url)
    )
    state.snapshots = snapshots
    running.push_async_callback(snapshots.close)
    state.hub.listeners.append(snapshots.told)
    state.hub.lost.append(snapshots.floors.forget_all)
    state.db.after_commit.append(snapshots.changed)
    state.newest_version = snapshots.newest_version
    state.auditor = Auditor(state.db, state.places, snapshots)
    state.auditor.start()
    running.push_async_callback(state.auditor.stop)


def _shared_cache(url: str | None) -> SharedCache | None:
    if url is None:
        return None
    from holdfast.live.redis_cache import RedisCache

    return RedisCache(url)
