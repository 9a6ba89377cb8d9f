"""`holdfast replay`: replays a booking history through the engine and prints the report."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TimeRemainingColumn

from holdfast.audit.run import Report, audit
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.files.own import own_directory, resolved
from holdfast.kernel.ids import new_id
from holdfast.main.cli.audit import show
from holdfast.main.cli.progress import progress
from holdfast.main.process.database import open_database
from holdfast.main.process.outcome import Failed
from holdfast.main.reactions import engine_over
from holdfast.replay.file import read_stays
from holdfast.replay.occupancy import occupancy, scattered
from holdfast.replay.picture import write_occupancy
from holdfast.replay.plan import ReplayPlan, plan_replay
from holdfast.replay.report import ReplayReport, figures, tables
from holdfast.replay.run import Replayed, replay
from holdfast.replay.stay import BadRow, Stay

PICTURE = "occupancy.svg"
RUN_ID_CHARS = 8


async def replay_command(
    settings: Settings, file: Path, *, picture: Path | None, as_json: bool, late: bool = False
) -> None:
    """Replays the file's history into the database, in its own tenants, and prints the report.

    1. Reads the file and sets aside rows that can't be replayed. Nothing is started for an invalid file.
    2. Runs the history through the engine. Audits halfway, when the ledger is full, and at the end.
       `late`: guests get their rooms at check-in, and the promise of one before.
    3. Writes the chart, by default PICTURE in the data directory, then prints the report: tables and chart, or with
       `as_json` one line.
    Raises `InvalidRequest` for an invalid file or chart path, `Failed` if the audit found violations.
    """
    picture = _picture(settings, picture)
    rows = list(read_stays(file))
    plan = plan_replay(row for row in rows if isinstance(row, Stay))
    async with open_database(settings) as database:
        replayed, audits = await _replay(database, plan, late=late)
    report = ReplayReport(
        plan=plan,
        bad_rows=[row for row in rows if isinstance(row, BadRow)],
        replayed=replayed,
        hotels=occupancy(plan, replayed.booking_ids.keys()),
        scattered=scattered(plan, replayed.booking_ids.keys()),
        audit_ok=all(each.ok for each in audits),
        picture=str(picture),
    )
    _draw(report, picture, file)
    if as_json:
        print(orjson.dumps(figures(report)).decode(), flush=True)
    else:
        console = Console()
        console.print(tables(report, columns=console.width))
    for failed in (each for each in audits if not each.ok):
        show(failed, Console(stderr=True))
    if not report.audit_ok:
        raise Failed("The audit found violations: holdfast audit lists them.")


def _picture(settings: Settings, asked: Path | None) -> Path:
    """Returns the chart's path. An unusable path is refused now instead of after a minute of work."""
    if asked is None:
        return resolved(settings.data_dir) / PICTURE
    path = resolved(asked)
    usable = path.parent.is_dir() and os.access(path if path.exists() else path.parent, os.W_OK)
    if path.is_dir() or not usable:
        problem = f"{asked} can't be written: name a file in an existing directory"
        raise InvalidRequest.of("picture", str(asked), problem)
    return path


async def _replay(database: Database, plan: ReplayPlan, *, late: bool) -> tuple[Replayed, list[Report]]:
    audits: list[Report] = []
    done, half = 0, len(plan.actions) // 2
    columns = (
        BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with progress("replaying", *columns, total=len(plan.actions)) as update:

        async def watch(actions: int) -> None:
            nonlocal done
            if done < half <= done + actions:
                audits.append(await audit(database))
            done += actions
            update(advance=actions)

        engine = engine_over(database, reactions=())
        replayed = await replay(engine, plan, run_id=new_id().hex[-RUN_ID_CHARS:], watch=watch, late=late)
        audits.append(await audit(database))
    return replayed, audits


def _draw(report: ReplayReport, picture: Path, file: Path) -> None:
    accepted, bookings = len(report.replayed.booking_ids), len(report.plan.stays)
    caption = (
        f"{bookings:,} bookings of {file.name} replayed: {accepted:,} accepted, "
        f"{bookings - accepted:,} refused, {len(report.refused_but_stayed):,} of them for guests who really came"
    )
    if not picture.parent.exists():
        own_directory(picture.parent)  # the data directory, when the database is elsewhere
    write_occupancy(picture, report.hotels, title="Occupancy, night by night", caption=caption)
