"""The baseline: pgbench on the bare database, with one PL/pgSQL function that writes the same rows."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from bench.bookings import DAYS_AHEAD
from bench.stand import Stand
from holdfast.kernel.embedded.programs import wheel_bin_dir

FUNCTION = Path(__file__).with_name("baseline.sql")
# The k-th resource, at a random day and quarter of an hour; random ids.
SCRIPT = """
\\set k random(1, {resources})
\\set day random(2, {days})
\\set step random(0, 42)
SELECT bench_book(r.tenant_id, r.venue_id, r.id,
                  '{first}'::timestamptz + make_interval(days => :day, mins => 15 * :step),
                  gen_random_uuid(), gen_random_uuid()::text)
  FROM bench_resource r WHERE r.k = :k;
"""
TABLE = """
    CREATE UNLOGGED TABLE bench_resource AS
    SELECT row_number() OVER (ORDER BY id)::int AS k, tenant_id, venue_id, id FROM resource;
    CREATE UNIQUE INDEX ON bench_resource (k);
    ANALYZE bench_resource
"""


async def prepare(stand: Stand) -> None:
    """Creates the function, and a numbered list of the resources."""
    connection = await asyncpg.connect(stand.server.url())
    try:
        await connection.execute(FUNCTION.read_text())
        await connection.execute(TABLE)
    finally:
        await connection.close()


async def measure(stand: Stand, *, clients: int, seconds: int) -> dict[str, Any]:
    """Returns transactions per second and mean latency of `clients` connections that only call the function.

    They connect as the superuser, so without row-level security: the bare database gets every advantage.
    """
    script = stand.data_dir / "book.sql"
    first = datetime.combine(datetime.now(UTC).date() + timedelta(days=2), datetime.min.time(), UTC)
    script.write_text(
        SCRIPT.format(
            resources=sum(len(venue.resource_ids) for venue in stand.venues),
            days=DAYS_AHEAD,
            first=(first + timedelta(hours=10, minutes=15)).isoformat(),
        )
    )
    process = await asyncio.create_subprocess_exec(
        str(wheel_bin_dir() / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=1", f"--time={seconds}"),
        f"--file={script}",
        *("-h", str(stand.server.socket_dir), "-p", str(stand.server.port), "-U", "postgres", "holdfast"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out = (await process.communicate())[0].decode()
    tps, latency = re.search(r"tps = ([\d.]+)", out), re.search(r"latency average = ([\d.]+)", out)
    if process.returncode or not tps or not latency:
        raise RuntimeError(f"pgbench failed: {out[-500:]}")
    return {"clients": clients, "transactions_per_s": round(float(tps[1])), "mean_ms": float(latency[1])}
