"""However many jobs there are, each statement about them looks at few."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from holdfast.job import store
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.kernel.statements import STATEMENTS, nodes, scans

from .conftest import LANE, Desk

OURS = {name: sql for name, sql in STATEMENTS.items() if name.startswith("job.")}
FILL = """
    INSERT INTO job (tenant_id, id, lane, reaction, venue_id, event, due_at, leases, leased_until)
    SELECT $1, gen_random_uuid(), $2, 'note', $3, '{}', $4::timestamptz, ($5::timestamptz IS NOT NULL)::integer, $5
      FROM generate_series(1, $6::integer)
"""
TABLES = ("job", "dead_letter")
HOUR = timedelta(hours=1)
MANY = 10_000
FEW = 500


class RolledBack(Exception):
    pass


@pytest.mark.parametrize("name", OURS)
async def test_it_goes_by_an_index_though_its_plan_is_from_when_there_were_none(
    desk: Desk, name: str
) -> None:
    """That is how it is for most of the time, and the plan is kept."""
    for table in TABLES:
        await desk.owner.execute(f"VACUUM ANALYZE {table}")
    found = [
        each
        for each in scans(await desk.db.run(SYSTEM, nodes, OURS[name]))
        if each["Relation Name"] in TABLES
    ]
    assert found or name.endswith((".ENQUEUE", ".EVENT_LAG"))
    for each in found:
        # The leases are few, and of the lanes it reads one row each.
        few = each.get("Index Name") == "job_one_of_a_venue" or name.endswith(".LAGS")
        assert each["Node Type"] == "Index Scan"
        assert re.match(r"\(+(tenant_id|id|lane|replayed_at) ", each.get("Index Cond", "")) or few, each


def looked(found: dict[str, Any]) -> int:
    """How many rows the node and those below it looked at in tables."""
    removed = sum(value for name, value in found.items() if name.startswith("Rows Removed by"))
    here = int((found["Actual Rows"] + removed) * found["Actual Loops"]) if "Index Name" in found else 0
    return here + sum(looked(child) for child in found.get("Plans", ()))


async def looked_at(desk: Desk, sql: str, values: str, fill: Callable[[Tx], Any]) -> tuple[int, bool]:
    """How many rows the statement looks at after these jobs were filled in, and whether it found anything."""
    found: list[dict[str, Any]] = []

    async def look(tx: Tx) -> None:
        await fill(tx)
        await tx.execute(f"PREPARE looked_at AS {sql}")
        [each] = orjson.loads(await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked_at{values}"))
        found.append(each["Plan"])
        await tx.execute("DEALLOCATE looked_at")
        raise RolledBack

    with pytest.raises(RolledBack):
        await desk.db.run(SYSTEM, look)
    return looked(found[0]), found[0]["Actual Rows"] > 0


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
        await tx.execute(FILL, desk.tenant_id, LANE, busy, now - 3 * HOUR, now + HOUR, 1)
        await tx.execute(FILL, desk.tenant_id, LANE, busy, now - 2 * HOUR, None, MANY)
        for each in behind:
            await tx.execute(FILL, desk.tenant_id, LANE, venues[each], now - HOUR, None, 1)

    rows, found = await looked_at(desk, store.TAKE, f"('{LANE}', '{{note}}', '1 minute')", fill)
    assert rows < FEW
    assert found == is_found


@pytest.mark.parametrize(
    ("sql", "values"),
    [(store.TAKE, f"('{LANE}', '{{note}}', '1 minute')"), (store.EXPIRE, f"('{LANE}')"), (store.LAGS, "")],
    ids=["take", "expire", "lags"],
)
async def test_those_that_are_not_due_yet_are_not_looked_at(desk: Desk, sql: str, values: str) -> None:
    async def fill(tx: Tx) -> None:
        for lane in (LANE, "another"):
            await tx.execute(FILL, desk.tenant_id, lane, new_id(), tx.now + HOUR, None, MANY // 2)

    rows, _ = await looked_at(desk, sql, values, fill)
    assert rows < FEW
