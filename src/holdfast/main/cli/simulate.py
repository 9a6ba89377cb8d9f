"""`holdfast simulate`: a made-up week, with everything that can go wrong, and what came of it."""

from __future__ import annotations

import secrets

import orjson
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.kernel.telemetry import start_logging
from holdfast.main.cli.progress import progress
from holdfast.main.process.database import find_database
from holdfast.main.process.outcome import Failed
from holdfast.main.reactions import engine_over
from holdfast.main.ticks import TICKS
from holdfast.simulate.report import figures, repeat, tables, wrong
from holdfast.simulate.run import GUESTS_A_DAY, SEED_MAX, Asked, Simulated, simulate

DAYS_MAX = 366
GUESTS_MAX = 20_000
RUN_ID_CHARS = 8
POOL_MAX = 3


async def simulate_command(
    settings: Settings,
    *,
    seed: int | None = None,
    days: int = 7,
    guests: int = GUESTS_A_DAY,
    faults: bool = False,
    as_json: bool = False,
) -> None:
    """The simulation runs in the database of these settings, in tenants of its own; then the report.

    `seed`: 0 to SEED_MAX; None draws one. It is printed first. `days`: 1 to DAYS_MAX. `guests`: who arrive a
    day, 1 to GUESTS_MAX. Raises `InvalidRequest`, and `Failed` when something does not hold, with the
    command that repeats it.
    """
    asked = Asked(
        seed=_within("seed", secrets.randbelow(SEED_MAX + 1) if seed is None else seed, 0, SEED_MAX),
        run_id=new_id().hex[-RUN_ID_CHARS:],
        days=_within("days", days, 1, DAYS_MAX),
        faults=faults,
        guests=_within("guests", guests, 1, GUESTS_MAX),
    )
    # Faults on purpose fill the log; what counts is in the report.
    start_logging("CRITICAL" if settings.log_level == "INFO" else settings.log_level)
    Console(stderr=as_json).print(f"Seed {asked.seed}", highlight=False)
    simulated = await _simulate(settings, asked)
    if as_json:
        print(orjson.dumps(figures(simulated)).decode(), flush=True)
    else:
        Console().print(tables(simulated))
    if not simulated.ok:
        for sentence in wrong(simulated):
            Console(stderr=True).print(sentence, soft_wrap=True, markup=False, highlight=False)
        raise Failed(
            f"{simulated.record.wrong_total} things do not hold with seed {asked.seed}. "
            f"To do the same again: {repeat(asked)}"
        )


def _within(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InvalidRequest.of(field, value, f"must be from {least} to {most}")
    return value


async def _simulate(settings: Settings, asked: Asked) -> Simulated:
    async with find_database(settings) as url:
        database = await Database.connect(url, pool_max=POOL_MAX, acquire_timeout_s=10)
        try:
            engine = engine_over(database, reactions=())
            columns = (TextColumn("simulating"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            with progress(*columns, total=asked.days) as update:
                return await simulate(
                    engine, url, asked, ticks=TICKS, passed=lambda days: update(completed=days)
                )
        finally:
            await database.close()
