from __future__ import annotations

from dataclasses import replace
from datetime import date
from io import StringIO
from uuid import UUID

import orjson
from rich.console import Console

from holdfast.kernel.ids import new_id
from holdfast.place.kept import snapshot
from holdfast.place.venue import Venue
from holdfast.replay.occupancy import occupancy
from holdfast.replay.open_hotels import hotel_document
from holdfast.replay.plan import ReplayPlan, plan_replay
from holdfast.replay.report import ReplayReport, figures, tables
from holdfast.replay.run import Replayed
from holdfast.replay.stay import BadRow

from .rows import stay

STAYS = [
    stay(2),
    stay(3, outcome="cancelled", ended_on=date(2015, 7, 2)),
    stay(4, hotel="[b]Resort", party_size=1, oddities=("odd",)),
    stay(5),
    stay(6, outcome="no_show"),
]


def opened(plan: ReplayPlan, name: str) -> Venue:
    document = hotel_document(plan.hotels[name], plan)
    ids: dict[str, UUID] = {each.slug: new_id() for each in document.resources}
    slug = f"{document.slug}-run"
    return snapshot(document, id=new_id(), tenant_id=new_id(), tenant_slug=slug, resource_ids=ids)


def report() -> ReplayReport:
    """Lines 5 and 6 were refused, 5 although it stayed; thirty lines are bad."""
    plan = plan_replay(STAYS)
    replayed = Replayed(
        {name: opened(plan, name) for name in plan.hotels},
        booking_ids={line: new_id() for line in (2, 3, 4)},
        refused={6: "ROOM_NOT_AVAILABLE", 5: "ROOM_NOT_AVAILABLE"},
        seconds=2.0,
        operations=9,
    )
    return ReplayReport(
        plan=plan,
        bad_rows=[BadRow(line, "a stay of 0 nights", "0") for line in range(100, 130)],
        replayed=replayed,
        hotels=occupancy(plan, replayed.booking_ids.keys()),
        scattered=frozenset({5}),
        audit_ok=True,
        picture="/tmp/occupancy.svg",
    )


def test_the_figures_say_what_happened() -> None:
    found = orjson.loads(orjson.dumps(figures(report())))
    hotels = found.pop("hotels")
    assert found == {
        "bookings": 5,
        "accepted": 3,
        "refused": 2,
        "refused_by_code": {"ROOM_NOT_AVAILABLE": 2},
        "cancelled": 1,
        "no_show": 0,
        "completed": 2,
        "refused_scattered": 1,
        "refused_but_stayed": 1,
        "refused_but_stayed_scattered": 1,
        "refused_but_stayed_lines": [5],
        "bad_rows": 30,
        "bad_rows_by_problem": {"a stay of 0 nights": {"count": 30, "lines": list(range(100, 120))}},
        "oddities": {"odd": 1},
        "seconds": 2.0,
        "bookings_per_s": 2.5,
        "operations": 9,
        "operations_per_s": 4.5,
        "audit_ok": True,
        "picture": "/tmp/occupancy.svg",
    }
    city = next(hotel for hotel in hotels if hotel["name"] == "City Hotel")
    assert UUID(city.pop("venue_id"))
    assert city == {
        "name": "City Hotel",
        "tenant": "city-hotel-run",
        "rooms": 2,
        "bookings": 4,
        "accepted": 2,
        "refused": 2,
        "cancelled": 1,
        "no_show": 0,
        "completed": 1,
        "refused_but_stayed": 1,
        "occupancy_mean": 0.5,
        "occupancy_peak_rooms": 1,
        "occupancy_peak_on": "2015-07-11",
    }


def printed(one: ReplayReport) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(tables(one, columns=100))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_tables_say_it_to_people() -> None:
    text = " ".join(printed(report()).split())
    assert "[b]Resort 1 1 1 1 0 0 0" in text
    assert "all 3 5 3 2 1 0 2" in text
    assert "2 ROOM_NOT_AVAILABLE" in text
    assert "1 were refused although they really came. For 1 of them (*)" in text
    assert "* 5 City Hotel A 2015-07-01 2015-07-11 2015-07-14 3" in text
    assert "30 a stay of 0 nights 100, 101" in text
    assert "119, ..." in text
    assert "3 of 5 bookings accepted (60.0 %) in 2.0 s: 2 bookings/s, 4 operations/s." in text
    assert "Audit: ok" in text
    assert "City Hotel is in the database as tenant city-hotel-run." in text


def test_a_failed_audit_is_said() -> None:
    assert "Audit: FAILED" in printed(replace(report(), audit_ok=False))


def test_nothing_replayed_is_said_too() -> None:
    nothing = ReplayReport(plan_replay([]), (), Replayed(), (), frozenset(), audit_ok=True, picture="p.svg")
    assert figures(nothing)["bookings_per_s"] == 0.0
    assert "0 of 0 bookings accepted" in printed(nothing)
