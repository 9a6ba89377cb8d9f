"""`holdfast audit`: runs the audit and prints its report."""

from __future__ import annotations

from itertools import count

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from holdfast.audit.run import CHECKS, Report, Result, audit
from holdfast.kernel.config import Settings
from holdfast.main.cli.progress import progress
from holdfast.main.process.database import existing_database
from holdfast.main.process.outcome import Failed

COLUMNS = (
    BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    TextColumn("{task.description}"),
)  # fmt: skip
EXAMPLES_MAX = 3
"""Violations per check shown in the table; `--json` has more."""


async def audit_command(settings: Settings, *, as_json: bool) -> None:
    """Prints the report: a table, or with `as_json` one line. Raises `Failed` if a check finds violations."""
    async with existing_database(settings) as database:
        with progress("auditing", *COLUMNS, total=len(CHECKS)) as update:
            done = count()
            report = await audit(database, starts=lambda name: update(completed=next(done), description=name))
    if as_json:
        print(orjson.dumps(report.as_json()).decode(), flush=True)
    else:
        show(report, Console())
    if not report.ok:
        names = ", ".join(each.check.name for each in report.failed)
        raise Failed(f"{len(report.failed)} of {len(report.results)} checks found violations: {names}.")


def show(report: Report, console: Console) -> None:
    """Prints the report for people."""
    console.print(_table(report))
    for each in report.failed:
        console.print(_examples(each), soft_wrap=True)


def _table(report: Report) -> Table:
    table = Table("", "check", box=None, pad_edge=False)
    table.add_column("violations", justify="right")
    table.add_column("seconds", justify="right")
    for each in report.results:
        mark = Text("ok", "green") if each.ok else Text("FAILED", "bold red")
        table.add_row(mark, each.check.name, f"{each.count:,}", f"{each.seconds:.2f}")
    return table


def _examples(result: Result) -> Text:
    lines = [orjson.dumps(each).decode() for each in result.violations[:EXAMPLES_MAX]]
    if result.count > len(lines):
        lines.append(f"and {result.count - len(lines):,} more (--json lists up to {len(result.violations)})")
    return Text(
        "\n".join(["", f"{result.check.name}: {result.check.means}", *(f"  {line}" for line in lines)])
    )
