"""The report of a replay as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from holdfast.replay.picture import occupancy_text
from holdfast.replay.report import Report, figures

STAYS_SHOWN_MAX: Final = 30


def tables(report: Report, *, columns: int) -> Group:
    """Something for `rich` to print. `columns`: width of the picture in characters."""
    found = figures(report)
    return Group(
        occupancy_text(report.hotels, columns=columns),
        Text(),
        _hotels(found),
        *_counted("Refused", "code", found["refused_by_code"]),
        *_missed(report),
        *_bad_rows(found),
        *_counted("Interpreted", "what the file says", found["oddities"]),
        Text(),
        *_summary(found),
    )


COUNTS: Final = {
    "rooms": "rooms",
    "bookings": "asked for",
    "accepted": "accepted",
    "completed": "stayed",
    "cancelled": "cancelled",
    "no_show": "no-show",
    "refused": "refused",
}
"""Figures of a hotel and what stands above them. Occupancy stands in the picture."""


def _hotels(found: dict[str, Any]) -> Table:
    table = Table("hotel", box=None, pad_edge=False, show_footer=len(found["hotels"]) > 1)
    table.columns[0].footer = "all"
    for name, shown in COUNTS.items():
        total = sum(hotel[name] for hotel in found["hotels"])
        table.add_column(shown, footer=f"{total:,}", justify="right")
    for hotel in found["hotels"]:
        table.add_row(Text(hotel["name"]), *(f"{hotel[name]:,}" for name in COUNTS))
    return table


def _counted(title: str, column: str, counts: dict[str, int]) -> Iterator[RenderableType]:
    if counts:
        table = Table(title, column, box=None, pad_edge=False)
        table.columns[0].justify = "right"
        for name, count in counts.items():
            table.add_row(f"{count:,}", Text(name))
        yield Text()
        yield table


def _missed(report: Report) -> Iterator[RenderableType]:
    """Those refused who really came: there was a place for them in the end."""
    stays = report.refused_but_stayed
    if not stays:
        return
    winnable = sum(stay.line in report.scattered for stay in stays)
    yield Text()
    yield Text(
        f"{len(stays):,} were refused who really came. For {winnable:,} of them (*) a room was free on each "
        "night, though never the same one: choosing rooms later can win these. The others met a night on "
        "which all rooms were promised, some to guests who cancelled later."
    )
    table = Table(box=None, pad_edge=False)
    for column in ("", "line", "hotel", "type", "booked on", "arrival", "departure", "nights"):
        table.add_column(column, justify="right" if column in ("line", "nights") else "left")
    for stay in stays[:STAYS_SHOWN_MAX]:
        mark = "*" if stay.line in report.scattered else ""
        days = (str(day) for day in (stay.booked_on, stay.arrival_on, stay.departure_on))
        table.add_row(mark, str(stay.line), Text(stay.hotel), Text(stay.room_type), *days, str(stay.nights))
    yield table
    if len(stays) > STAYS_SHOWN_MAX:
        yield Text(f"and {len(stays) - STAYS_SHOWN_MAX:,} more: --json has all their lines.")


def _bad_rows(found: dict[str, Any]) -> Iterator[RenderableType]:
    if not found["bad_rows"]:
        return
    table = Table("Left out", "because", "lines", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    for problem, rows in found["bad_rows_by_problem"].items():
        more = ", ..." if rows["count"] > len(rows["lines"]) else ""
        table.add_row(f"{rows['count']:,}", Text(problem), ", ".join(map(str, rows["lines"])) + more)
    yield Text()
    yield table


def _summary(found: dict[str, Any]) -> Iterator[Text]:
    share = found["accepted"] / found["bookings"] * 100 if found["bookings"] else 0.0
    yield Text(
        f"{found['accepted']:,} of {found['bookings']:,} bookings accepted ({share:.1f} %) in "
        f"{found['seconds']:.1f} s: {found['bookings_per_s']:,.0f} bookings/s, "
        f"{found['operations_per_s']:,.0f} operations/s."
    )
    yield Text.assemble("Audit: ", ("all holds", "green") if found["audit_ok"] else ("FAILED", "bold red"))
    yield Text(f"Picture: {found['picture']}", no_wrap=True, overflow="ignore")
    for hotel in found["hotels"]:
        yield Text(f"{hotel['name']} is kept as tenant {hotel['tenant']}.")
