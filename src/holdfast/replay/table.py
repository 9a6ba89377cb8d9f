"""The report of a replay as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from holdfast.replay.picture import occupancy_text
from holdfast.replay.report import Report, figures
from holdfast.replay.stay import Stay

STAYS_SHOWN_MAX: Final = 30


def tables(report: Report, *, columns: int) -> Group:
    """Something for `rich` to print. `columns`: width of the picture in characters."""
    found = figures(report)
    return Group(
        occupancy_text(report.hotels, columns=columns),
        Text(),
        _hotels(found),
        *_counted("Refused", "code", found["refused_by_code"]),
        *_missed(report.refused_but_stayed),
        *_bad_rows(found),
        *_counted("Interpreted", "what the file says", found["oddities"]),
        Text(),
        *_summary(found),
    )


def _hotels(found: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("hotel")
    names = {
        "rooms": "rooms",
        "bookings": "bookings",
        "accepted": "accepted",
        "completed": "stayed",
        "cancelled": "cancelled",
        "no_show": "no-show",
        "refused": "refused",
        "refused_but_stayed": "of them stayed",
    }
    for shown in (*names.values(), "fullest night", "mean"):
        table.add_column(shown, justify="right")
    for hotel in found["hotels"]:
        table.add_row(
            hotel["name"],
            *(f"{hotel[name]:,}" for name in names),
            f"{hotel['occupancy_peak_rooms']:,}",
            f"{hotel['occupancy_mean'] * 100:.0f} %",
        )
    return table


def _counted(title: str, column: str, counts: dict[str, int]) -> Iterator[RenderableType]:
    if counts:
        table = Table(title, column, box=None, pad_edge=False)
        table.columns[0].justify = "right"
        for name, count in counts.items():
            table.add_row(f"{count:,}", Text(name))
        yield Text()
        yield table


def _missed(stays: list[Stay]) -> Iterator[RenderableType]:
    """Those refused who really came: for them there was a room, only not the one that was free."""
    if not stays:
        return
    yield Text()
    yield Text(
        f"{len(stays):,} were refused who really came. First fit scattered the free nights over several "
        "rooms; the room is better chosen late."
    )
    table = Table(box=None, pad_edge=False)
    for column in ("line", "hotel", "room type", "booked on", "arrival", "departure", "nights"):
        table.add_column(column, justify="right" if column in ("line", "nights") else "left")
    for stay in stays[:STAYS_SHOWN_MAX]:
        days = (str(day) for day in (stay.booked_on, stay.arrival_on, stay.departure_on))
        table.add_row(str(stay.line), Text(stay.hotel), Text(stay.room_type), *days, str(stay.nights))
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
