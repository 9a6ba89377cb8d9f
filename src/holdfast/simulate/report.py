"""Reports a simulation, as figures and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from holdfast.simulate.run import Scenario, Simulated

SHOWN_MAX: Final = 20
"""How many violations are printed."""


def figures(simulated: Simulated) -> dict[str, Any]:
    """Returns all figures, for `--json`."""
    asked, record = simulated.asked, simulated.record
    return {
        "seed": asked.seed,
        "days": asked.days,
        "days_done": simulated.days_done,
        "faults_on": asked.faults,
        "ok": simulated.ok,
        "guests": simulated.guests,
        "most_at_once": simulated.most_at_once,
        "actions": sum(record.actions.values()),
        "actions_by_kind": _sorted(record.actions),
        "bookings": record.bookings,
        "refused": sum(record.refused.values()),
        "refused_by_code": _sorted(record.refused),
        "faults": _sorted(simulated.faults),
        "overloaded": record.overloaded,
        "constraint_objections": record.objections,
        "unanswered": len(record.unsure),
        "audit_ok": simulated.audit_ok,
        "audit_failed": _sorted(simulated.audits_failed),
        "live_events": simulated.live_events,
        "mismatches": simulated.mismatches,
        "wrong": record.wrong[:SHOWN_MAX],
        "wrong_total": record.wrong_total,
        "repeat": repeat(asked),
        "seconds": round(simulated.seconds, 2),
    }


def repeat(asked: Scenario) -> str:
    """Returns the command that repeats the simulation."""
    faults = " --faults" if asked.faults else ""
    return f"holdfast simulate --seed {asked.seed} --days {asked.days} --guests {asked.guests}{faults}"


def wrong(simulated: Simulated) -> list[str]:
    """Returns the violations, one sentence each."""
    record = simulated.record
    more = record.wrong_total - len(record.wrong[:SHOWN_MAX])
    return [*record.wrong[:SHOWN_MAX], *([f"and {more:,} more"] if more > 0 else [])]


def tables(simulated: Simulated) -> RenderableType:
    """Returns the report for people."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _rows(simulated):
        table.add_row(name, value)
    holds = Text("No violations.", "green") if simulated.ok else Text("There are violations.", "bold red")
    return Group(table, holds)


def _rows(simulated: Simulated) -> Iterator[tuple[str, str]]:
    record = simulated.record
    yield "Virtual days", f"{simulated.days_done} of {simulated.asked.days}"
    yield "Guests", f"{simulated.guests:,}"
    yield "Most people awake at once", f"{simulated.most_at_once:,}"
    yield "Bookings created", f"{record.bookings:,}"
    yield "Actions", f"{sum(record.actions.values()):,}"
    for title, counts in (("", record.actions), ("Refused", record.refused), ("Faults", simulated.faults)):
        if title:
            yield title, f"{sum(counts.values()):,}"
        for name, count in _sorted(counts).items():
            yield f"  {name}", f"{count:,}"
    yield "Retries after an overload", f"{record.overloaded:,}"
    yield "Transactions refused by a constraint", f"{record.objections:,}"
    yield "Never answered", f"{len(record.unsure):,}"
    yield "Live events received", f"{simulated.live_events:,}"
    yield "Live mismatches", f"{simulated.mismatches:,}"
    yield "Audit", "ok" if simulated.audit_ok else ", ".join(simulated.audits_failed)
    yield "Seconds", f"{simulated.seconds:,.1f}"


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.most_common() if count}
