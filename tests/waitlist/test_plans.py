"""Cached plans: every statement on the waitlist uses an index, however old its plan is."""

from __future__ import annotations

import re

import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.waitlist import lists, queue_store, store

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": sql
    for module in (store, queue_store, lists)
    for name, sql in vars(module).items()
    if not name.startswith("_") and isinstance(sql, str) and "SELECT" in sql
}
# All others use the index of open entries, and no other.
OTHERS = {
    "store.FIND": "waitlist_entry_id_is_unique",
    "store.GET": "waitlist_entry_id_is_unique",
    "store.INSERT": "json_populate_record",
    "store.GET_FOR_UPDATE": "waitlist_entry_id_is_unique",
    "store.OFFERS": "booking_id_is_unique",
    "store.SAVE": "waitlist_entry_id_is_unique",
    "store.CHANGED": "booking_history_pkey",
    "lists.CLOSED": "waitlist_entry_closed",
}


async def plan(tx: Tx, sql: str) -> str:
    """The plan that a connection of the application caches for the statement."""
    values = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", sql))))
    await tx.execute(f"PREPARE looked_at AS {sql}")
    rows = await tx.fetch(f"EXPLAIN (COSTS OFF) EXECUTE looked_at ({values})")
    await tx.execute("DEALLOCATE looked_at")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_it_goes_by_its_index(db: Database, name: str) -> None:
    found = await db.run(SYSTEM, plan, STATEMENTS[name])
    assert OTHERS.get(name, "waitlist_entry_open") in found
    assert "Seq Scan" not in found
    assert "Sort" not in found
    assert "Hash" not in found
    assert "Join Filter" not in found
    for condition in re.findall(r"using booking_.*\n +Index Cond: (.*)", found):
        assert re.search(r"\b(booking_)?id = ", condition), "all bookings of the tenant are looked through"


def test_there_are_statements() -> None:
    assert {*OTHERS, "queue_store.WAITING", "queue_store.OPEN_VENUES", "lists.OPEN"} <= set(STATEMENTS)
