"""Reports a replay: as figures for the JSON line, and as tables for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from holdfast.place.venue import Venue
from holdfast.replay.occupancy import NightlyOccupancy
from holdfast.replay.picture import occupancy_text
from holdfast.replay.plan import ReplayPlan
from holdfast.replay.run import Replayed
from holdfast.replay.stay import BadRow, Stay

LINES_SHOWN_MAX: Final = 20
"""How many line numbers of bad rows are shown per problem; all are counted."""
STAYS_SHOWN_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """All results of a replay.

    `hotels`: their occupancy, in the order of the plan; empty if nobody stayed. `audit_ok`: whether all audits passed,
    during the replay and at its end. `scattered`: see `occupancy.scattered`. `picture`: path of the chart.
    """

    plan: ReplayPlan
    bad_rows: Sequence[BadRow]
    replayed: Replayed
    hotels: Sequence[NightlyOccupancy]
    scattered: frozenset[int]
    audit_ok: bool
    picture: str

    @property
    def accepted(self) -> list[Stay]:
        """The stays that got a room, in the order of the file."""
        return [stay for stay in self.plan.stays if stay.line in self.replayed.booking_ids]

    @property
    def refused(self) -> list[Stay]:
        """The stays that got none, in the order in which they were refused."""
        by_line = {stay.line: stay for stay in self.plan.stays}
        return [by_line[line] for line in self.replayed.refused]

    @property
    def refused_but_stayed(self) -> list[Stay]:
        """The refused stays whose guests really came, so there was a room after all."""
        return [stay for stay in self.refused if stay.outcome == "completed"]


def figures(report: ReplayReport) -> dict[str, Any]:
    """Returns the JSON object. Lines are those of the file, whose header is line 1; `seconds` as in `Replayed`."""
    replayed, refused = report.replayed, report.replayed.refused
    missed = [stay.line for stay in report.refused_but_stayed]
    return {
        "bookings": len(report.plan.stays),
        "accepted": len(replayed.booking_ids),
        "refused": len(refused),
        "refused_by_code": dict(Counter(refused.values()).most_common()),
        **outcomes(report.accepted),
        "refused_scattered": len(report.scattered),
        "refused_but_stayed": len(missed),
        "refused_but_stayed_scattered": len(report.scattered.intersection(missed)),
        "refused_but_stayed_lines": missed,
        "bad_rows": len(report.bad_rows),
        "bad_rows_by_problem": bad_by_problem(report.bad_rows),
        "oddities": report.plan.oddities,
        "seconds": round(replayed.seconds, 3),
        "bookings_per_s": _rate(len(report.plan.stays), replayed.seconds),
        "operations": replayed.operations,
        "operations_per_s": _rate(replayed.operations, replayed.seconds),
        "audit_ok": report.audit_ok,
        "hotels": [_hotel(report, name, venue) for name, venue in replayed.hotels.items()],
        "picture": report.picture,
    }


def outcomes(stays: Iterable[Stay]) -> dict[str, int]:
    """Returns how many stays ended in each way."""
    counted = Counter(stay.outcome for stay in stays)
    return {outcome: counted[outcome] for outcome in ("cancelled", "no_show", "completed")}


def bad_by_problem(rows: Iterable[BadRow]) -> dict[str, dict[str, Any]]:
    """Returns the count of each problem, most frequent first, with its first LINES_SHOWN_MAX lines."""
    lines: dict[str, list[int]] = {}
    for row in rows:
        lines.setdefault(row.problem, []).append(row.line)
    most_first = sorted(lines.items(), key=lambda each: -len(each[1]))
    return {problem: {"count": len(those), "lines": those[:LINES_SHOWN_MAX]} for problem, those in most_first}


def _hotel(report: ReplayReport, name: str, venue: Venue) -> dict[str, Any]:
    accepted = [stay for stay in report.accepted if stay.hotel == name]
    refused = [stay for stay in report.refused if stay.hotel == name]
    return {
        "name": name,
        "tenant": venue.tenant_slug,
        "venue_id": str(venue.id),
        "rooms": report.plan.hotels[name].rooms,
        "bookings": len(accepted) + len(refused),
        "accepted": len(accepted),
        "refused": len(refused),
        **outcomes(accepted),
        "refused_but_stayed": sum(stay.outcome == "completed" for stay in refused),
        **_occupancy(next((each for each in report.hotels if each.hotel == name), None)),
    }


def _occupancy(hotel: NightlyOccupancy | None) -> dict[str, Any]:
    if hotel is None:
        return {"occupancy_mean": 0.0, "occupancy_peak_rooms": 0, "occupancy_peak_on": None}
    peak_on, peak = hotel.peak
    return {
        "occupancy_mean": round(hotel.mean_share, 4),
        "occupancy_peak_rooms": peak,
        "occupancy_peak_on": peak_on.isoformat() if peak else None,
    }


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds else 0.0


def tables(report: ReplayReport, *, columns: int) -> Group:
    """Returns a `rich` renderable. `columns`: width of the chart in characters."""
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
    "bookings": "requested",
    "accepted": "accepted",
    "completed": "stayed",
    "cancelled": "cancelled",
    "no_show": "no-show",
    "refused": "refused",
}
"""A hotel's figures and their column titles. Occupancy is in the chart."""


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


def _missed(report: ReplayReport) -> Iterator[RenderableType]:
    """Yields a table of refused stays whose guests really came: there was a room for them in the end."""
    stays = report.refused_but_stayed
    if not stays:
        return
    winnable = sum(stay.line in report.scattered for stay in stays)
    yield Text()
    yield Text(
        f"{len(stays):,} were refused although they really came. For {winnable:,} of them (*) a room was free on each "
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
    yield Text.assemble("Audit: ", ("ok", "green") if found["audit_ok"] else ("FAILED", "bold red"))
    yield Text(f"Picture: {found['picture']}", no_wrap=True, overflow="ignore")
    for hotel in found["hotels"]:
        yield Text(f"{hotel['name']} is in the database as tenant {hotel['tenant']}.")
