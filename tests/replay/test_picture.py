from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from holdfast.kernel.errors import InvalidRequest
from holdfast.replay.occupancy import NightlyOccupancy, occupancy
from holdfast.replay.picture import occupancy_text, write_occupancy
from holdfast.replay.plan import plan_replay
from holdfast.replay.svg import occupancy_svg

from .rows import stay

SVG = "{http://www.w3.org/2000/svg}"
CITY = NightlyOccupancy("City Hotel", 4, date(2015, 6, 29), (1, 2, 3, 3, 1), (0, 0, 1, 0, 0))
RESORT = NightlyOccupancy("Sea & <Sand>", 250, date(2015, 6, 29), (200, 0, 0, 0, 0), (0, 0, 0, 0, 0))


def printed(*hotels: NightlyOccupancy, columns: int = 80) -> str:
    console = Console(width=columns, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(occupancy_text(hotels, columns=columns))
    return capture.get()


def test_nights_are_counted_for_those_who_slept_there() -> None:
    plan = plan_replay(
        [
            stay(2),  # 11, 12, 13 July
            stay(3, ended_on=date(2015, 7, 12)),  # left early: 11 July
            stay(4, ended_on=date(2015, 7, 11)),  # left the same day: none
            stay(5, outcome="no_show"),
            stay(6, outcome="cancelled"),
            stay(7, arrival_on=date(2015, 7, 13), departure_on=date(2015, 7, 15), ended_on=date(2015, 7, 15)),
            stay(8, hotel="Resort Hotel"),
        ],
    )
    assert occupancy(plan, {2, 3, 4, 5, 6}) == (
        NightlyOccupancy("City Hotel", 4, date(2015, 7, 11), (2, 1, 1, 0), (0, 0, 1, 1)),
        NightlyOccupancy("Resort Hotel", 1, date(2015, 7, 11), (0, 0, 0, 0), (1, 1, 1, 0)),
    )
    assert occupancy(plan_replay([stay(outcome="no_show")]), {2}) == ()


def test_figures_of_a_hotel() -> None:
    assert CITY.peak == (date(2015, 7, 1), 3)
    assert CITY.mean_share == pytest.approx(10 / 20)
    assert (RESORT.open_nights, RESORT.mean_share) == (range(1), pytest.approx(0.8))
    empty = NightlyOccupancy("Empty", 0, date(2015, 7, 1), (0,), (0,))
    assert (empty.peak, empty.mean_share) == ((date(2015, 7, 1), 0), 0.0)


def test_the_svg_is_well_formed_and_names_everything() -> None:
    root = ElementTree.fromstring(occupancy_svg([CITY, RESORT], title="A & B", caption="<all>"))
    words = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert (root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")) == ("A & B", "<all>")
    assert {"A & B", "<all>", "City Hotel", "Sea & <Sand>", "4 rooms", "250 rooms", "2015"} <= set(words)
    assert "fullest night 1 Jul 2015 with 3 of 4 rooms · mean 50 % over 5 nights" in words
    assert "no guest in the file after the night of 29 Jun 2015" in words
    assert words.count("rooms") == 2


def test_the_svg_draws_each_night_to_scale() -> None:
    root = ElementTree.fromstring(occupancy_svg([CITY], title="t", caption="c"))
    (taken,) = [path for path in root.iter(f"{SVG}path") if path.get("fill") == "#2f7f79"]
    (line,) = [
        path
        for path in root.iter(f"{SVG}path")
        if path.get("d", "").startswith("M84 ")
        and path.get("stroke-width") == "2"
        and "H1092" in path.get("d", "")
    ]
    floor, *tops = [float(y) for y in re.findall(r"(?:M84 |V)([\d.]+)", taken.get("d", ""))][:6]
    full = floor - float(re.findall(r"M84 ([\d.]+)", line.get("d", ""))[0])
    assert [round((floor - top) / full * 4, 2) for top in tops] == [1, 2, 3, 3, 1]


def test_the_svg_stays_inside_its_frame() -> None:
    root = ElementTree.fromstring(occupancy_svg([CITY, RESORT], title="t", caption="c"))
    height = float(root.get("height", "0"))
    ys = [float(text.get("y", "-1")) for text in root.iter(f"{SVG}text")]
    assert 0 < min(ys) <= max(ys) < height
    for path in root.iter(f"{SVG}path"):
        assert all(0 <= float(y) <= height for y in re.findall(r"V([\d.]+)", path.get("d", "")))


def test_nobody_stayed() -> None:
    assert "Nobody stayed" in occupancy_svg([], title="t", caption="c")
    assert "Nobody stayed" in printed()


@pytest.mark.parametrize("rooms", [0, 1, 7, 250, 99_999])
def test_any_size_of_hotel_can_be_drawn(rooms: int) -> None:
    hotel = NightlyOccupancy("Any", rooms, date(2015, 1, 1), (rooms,) * 1_500, (0,) * 1_500)
    ElementTree.fromstring(occupancy_svg([hotel], title="t", caption="c"))
    assert f"{rooms:,}" in printed(hotel)


def test_the_terminal_plot_shows_both_hotels_capacity_and_months() -> None:
    text = printed(CITY, RESORT, columns=100)
    assert "City Hotel: 3 of 4 rooms on 1 Jul 2015, mean 50 %" in text
    assert "Sea & <Sand>: 200 of 250 rooms" in text
    assert re.search(r"^ *250┤─{80,}", text, re.MULTILINE)
    assert "Jul 15" in text
    assert "refused here, though the guests really came" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_terminal_plot_is_higher_where_more_rooms_are_taken() -> None:
    rows = [row for row in printed(CITY).splitlines() if "│" in row or "┤" in row]
    blocks = [sum(mark in "▖▗▘▙▚▛▜▝▞▟█▀▄▌▐" for mark in row) for row in rows if "─" not in row]
    assert blocks == sorted(blocks)
    assert blocks[-1] > blocks[0] == 0


def test_one_plot_leaves_nothing_behind_for_the_next() -> None:
    alone = printed(CITY)
    printed(RESORT)
    assert printed(CITY) == alone


def test_the_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "occupancy.svg"
    path.write_text("x" * 10**6)
    write_occupancy(path, [CITY], title="t", caption="é")
    assert path.read_text(encoding="utf-8") == occupancy_svg([CITY], title="t", caption="é")
    with pytest.raises(InvalidRequest, match="it can't be written"):
        write_occupancy(tmp_path / "no" / "such.svg", [CITY], title="t", caption="c")
