"""Engines for tests: what is emitted is written, and nothing reacts to it."""

from __future__ import annotations

from holdfast.engine import Engine, React
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.port.ports import Ports


async def nothing(_tx: Tx) -> None:
    return None


def engine_over(db: Database, react: React = nothing) -> Engine:
    return Engine(db, ports=Ports(), react=react)


async def connect(url: str, *, react: React = nothing, **how: object) -> Database:
    """A database to run verbs with, which `react` reacts to."""
    db = await Database.connect(url, **how)  # pyright: ignore[reportArgumentType]
    engine_over(db, react)
    return db
