"""What a replay found, as figures: for the JSON line, and for the tables that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from holdfast.replay.occupancy import Occupancy
from holdfast.replay.open_hotels import OpenHotel
from holdfast.replay.plan import Plan
from holdfast.replay.run import Replayed
from holdfast.replay.stay import BadRow, Stay

LINES_SHOWN_MAX: Final = 20
"""Line numbers of bad rows that are named for each problem; all are counted."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything there is to say of a replay.

    `hotels`: their occupancy, in the order of the plan; empty when nobody stayed. `audit_ok`: whether
    all held, while it ran and at its end. `scattered`: see there. `picture`: the path of the file.
    """

    plan: Plan
    bad_rows: Sequence[BadRow]
    replayed: Replayed
    hotels: Sequence[Occupancy]
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
        """Those of them who really came, so that there was a room after all."""
        return [stay for stay in self.refused if stay.outcome == "completed"]


def figures(report: Report) -> dict[str, Any]:
    """The one JSON object. Lines are those of the file, the header is 1; `seconds` as in `Replayed`."""
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
        "hotels": [_hotel(report, hotel) for hotel in replayed.hotels.values()],
        "picture": report.picture,
    }


def outcomes(stays: Iterable[Stay]) -> dict[str, int]:
    """How the stays ended."""
    counted = Counter(stay.outcome for stay in stays)
    return {outcome: counted[outcome] for outcome in ("cancelled", "no_show", "completed")}


def bad_by_problem(rows: Iterable[BadRow]) -> dict[str, dict[str, Any]]:
    """How often each problem was met, the most frequent first, and the first LINES_SHOWN_MAX lines."""
    lines: dict[str, list[int]] = {}
    for row in rows:
        lines.setdefault(row.problem, []).append(row.line)
    most_first = sorted(lines.items(), key=lambda each: -len(each[1]))
    return {problem: {"count": len(those), "lines": those[:LINES_SHOWN_MAX]} for problem, those in most_first}


def _hotel(report: Report, hotel: OpenHotel) -> dict[str, Any]:
    name = hotel.hotel.name
    accepted = [stay for stay in report.accepted if stay.hotel == name]
    refused = [stay for stay in report.refused if stay.hotel == name]
    return {
        "name": name,
        "tenant": hotel.tenant.slug,
        "venue_id": str(hotel.venue.id),
        "rooms": hotel.hotel.rooms,
        "bookings": len(accepted) + len(refused),
        "accepted": len(accepted),
        "refused": len(refused),
        **outcomes(accepted),
        "refused_but_stayed": sum(stay.outcome == "completed" for stay in refused),
        **_occupancy(next((each for each in report.hotels if each.hotel == name), None)),
    }


def _occupancy(hotel: Occupancy | None) -> dict[str, Any]:
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
