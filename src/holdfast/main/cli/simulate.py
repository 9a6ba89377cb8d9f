"""`holdfast simulate`: simulates a week with every kind of fault, and prints the report."""

from __future__ import annotations

import secrets

import orjson
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.kernel.telemetry import start_logging
from holdfast.main.cli.progress import progress
from holdfast.main.process.database import find_known_database
from holdfast.main.process.outcome import Failed
from holdfast.main.reactions import engine_over
from holdfast.main.ticks import TICKS
from holdfast.simulate.report import figures, repeat, tables, wrong
from holdfast.simulate.run import GUESTS_A_DAY, SEED_MAX, Scenario, Simulated, simulate

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
    """Simulates in the settings' database, in its own tenants, and prints the report.

    `seed`: 0 to SEED_MAX; None picks one. It is printed first. `days`: 1 to DAYS_MAX. `guests`: arrivals per day, 1 to
    GUESTS_MAX. Raises `InvalidRequest`, and `Failed` if an invariant is violated, with the command that repeats the
    run.
    """
    asked = Scenario(
        seed=_within("seed", secrets.randbelow(SEED_MAX + 1) if seed is None else seed, 0, SEED_MAX),
        run_id=new_id().hex[-RUN_ID_CHARS:],
        days=_within("days", days, 1, DAYS_MAX),
        faults=faults,
        guests=_within("guests", guests, 1, GUESTS_MAX),
    )
    # Injected faults would flood the log; the report has what matters.
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
            f"{simulated.record.wrong_total} violations with seed {asked.seed}. "
            f"To repeat the run: {repeat(asked)}"
        )


def _within(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InvalidRequest.of(field, value, f"must be from {least} to {most}")
    return value


async def _simulate(settings: Settings, asked: Scenario) -> Simulated:
    async with find_known_database(settings) as url:
        database = await Database.connect(url, pool_max=POOL_MAX, acquire_timeout_s=10)
        try:
            engine = engine_over(database, reactions=())
            columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            with progress("simulating", *columns, total=asked.days) as update:
                return await simulate(
                    engine, url, asked, ticks=TICKS, passed=lambda days: update(completed=days)
                )
        finally:
            await database.close()
