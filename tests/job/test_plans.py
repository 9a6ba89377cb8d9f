"""However many jobs there are, each statement about them looks at few."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from holdfast.job import store
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx

from .conftest import LANE, Desk

STATEMENTS = {
    name: value
    for name, value in vars(store).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, str)
}
FILL = """
    INSERT INTO job (tenant_id, id, lane, reaction, venue_id, event, due_at, leases, leased_until)
    SELECT $1, gen_random_uuid(), $2, 'note', $3, '{}', $4::timestamptz, ($5::timestamptz IS NOT NULL)::integer, $5
      FROM generate_series(1, $6::integer)
"""
MANY = 10_000
FEW = 500


class RolledBack(Exception):
    pass


def test_there_are_statements() -> None:
    assert {"TAKE", "EXPIRE", "FINISH", "LAGS", "LIST", "ENQUEUE"} <= STATEMENTS.keys()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_it_goes_by_an_index(desk: Desk, name: str) -> None:
    found = await desk.db.run(SYSTEM, plan, STATEMENTS[name])
    assert "Seq Scan" not in found
    assert ("Index" in found) == (name != "ENQUEUE")
    # Of the few that it has found.
    assert "Sort" not in found or name == "TAKE"


async def plan(tx: Tx, sql: str) -> str:
    """The plan that a connection of the application keeps for the statement."""
    values = ", ".join("NULL" for _ in set(re.findall(r"\$\d+", sql)))
    return "\n".join(row[0] for row in await explained(tx, "COSTS OFF", sql, values))


async def explained(tx: Tx, how: str, sql: str, values: str) -> list[Any]:
    await tx.execute(f"PREPARE looked_at AS {sql}")
    rows = await tx.fetch(f"EXPLAIN ({how}) EXECUTE looked_at{values and f'({values})'}")
    await tx.execute("DEALLOCATE looked_at")
    return rows


def scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Tables, and how many rows of them were looked at."""
    if node.get("Relation Name") and node["Node Type"] != "ModifyTable":
        removed = sum(value for name, value in node.items() if name.startswith("Rows Removed by"))
        yield node["Relation Name"], int((node["Actual Rows"] + removed) * node["Actual Loops"])
    for child in node.get("Plans", ()):
        yield from scans(child)


async def looked_at(desk: Desk, sql: str, values: str, fill: Callable[[Tx], Any]) -> tuple[int, bool]:
    """How many rows of jobs the statement looks at after these were filled in, and whether it found anything."""
    found: list[tuple[int, bool]] = []

    async def look(tx: Tx) -> None:
        await fill(tx)
        [[text]] = await explained(tx, "ANALYZE, FORMAT JSON", sql, values)
        top = orjson.loads(text)[0]["Plan"]
        rows = [rows for table, rows in scans(top) if table == "job"]
        found.append((sum(rows), top["Actual Rows"] > 0))
        raise RolledBack

    with pytest.raises(RolledBack):
        await desk.db.run(SYSTEM, look)
    return found[0]


@pytest.mark.parametrize(
    ("behind", "is_found"),
    [([], False), (["another"], True), (["none"], True), (["another", "none"], True)],
    ids=["alone", "another_venue", "no_venue", "both"],
)
async def test_to_take_a_job_few_are_looked_at(desk: Desk, behind: list[str], is_found: bool) -> None:
    """One venue has very many, all due for longer than the others', and one under way."""
    venues = {"another": new_id(), "none": None}

    async def fill(tx: Tx) -> None:
        now, busy = tx.now, new_id()
        await tx.execute(FILL, desk.tenant_id, LANE, busy, now.replace(year=2001), now.replace(year=2100), 1)
        await tx.execute(FILL, desk.tenant_id, LANE, busy, now.replace(year=2002), None, MANY)
        for each in behind:
            await tx.execute(FILL, desk.tenant_id, LANE, venues[each], now.replace(year=2003), None, 1)

    rows, found = await looked_at(desk, store.TAKE, f"'{LANE}', '{{note}}', '1 minute'", fill)
    assert rows < FEW
    assert found == is_found


@pytest.mark.parametrize(
    ("sql", "values"),
    [(store.TAKE, f"'{LANE}', '{{note}}', '1 minute'"), (store.EXPIRE, f"'{LANE}'"), (store.LAGS, "")],
    ids=["take", "expire", "lags"],
)
async def test_those_that_are_not_due_yet_are_not_looked_at(desk: Desk, sql: str, values: str) -> None:
    async def fill(tx: Tx) -> None:
        for lane in (LANE, "another"):
            await tx.execute(FILL, desk.tenant_id, lane, new_id(), tx.now.replace(year=2100), None, MANY // 2)

    rows, _ = await looked_at(desk, sql, values, fill)
    assert rows < FEW
