"""Charts of a replay's occupancy: in the terminal and as an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import plotext
from rich.console import Group
from rich.text import Text

from holdfast.kernel.errors import InvalidRequest
from holdfast.replay.occupancy import NightlyOccupancy
from holdfast.replay.svg import occupancy_svg

COLUMNS_MIN: Final = 40
COLUMNS_MAX: Final = 160
ROWS_PER_HOTEL: Final = 14

_TAKEN: Final = (47, 127, 121)
_MISSED: Final = (228, 87, 46)
_CAPACITY: Final = (185, 138, 31)


def occupancy_text(hotels: Sequence[NightlyOccupancy], *, columns: int = 100) -> Group:
    """Returns a `rich` renderable: a chart for each hotel, rooms per night, with a line at its capacity. `columns`:
    width in characters, limited to `COLUMNS_MIN` to `COLUMNS_MAX`."""
    width = max(COLUMNS_MIN, min(columns, COLUMNS_MAX))
    plots = [_plot(hotel, width) for hotel in hotels if hotel.taken]
    if not plots:
        return Group(Text("Nobody stayed: there is nothing to draw."))
    return Group(*plots, _legend())


def write_occupancy(path: Path, hotels: Sequence[NightlyOccupancy], *, title: str, caption: str) -> None:
    """Writes the chart of `occupancy_svg` to a UTF-8 file, replacing it. Raises InvalidRequest if that fails."""
    try:
        path.write_text(occupancy_svg(hotels, title=title, caption=caption), encoding="utf-8")
    except OSError as error:
        raise InvalidRequest.of(
            "picture", str(path), f"it can't be written ({error.strerror or error}): name another file"
        ) from error


def _legend() -> Text:
    entries = (
        ("█", _TAKEN, "rooms slept in"),
        ("█", _MISSED, "refused here, though the guests really came"),
        ("─", _CAPACITY, "all rooms of the hotel"),
    )
    return Text("   ").join(
        Text.assemble((mark, f"rgb({','.join(map(str, color))})"), f" {words}")
        for mark, color, words in entries
    )


def _plot(hotel: NightlyOccupancy, width: int) -> Text:
    # plotext draws on one figure per process, which is cleared before and after. Its limit to the terminal size is
    # switched off, since rich decides the width and the output may go to a file.
    figure: Any = plotext.figure
    figure.clear()
    figure.theme("colorless")
    plotext.terminal.limit(False, False)
    try:
        _draw(figure, hotel, width)
        return Text.from_ansi(figure.build().string(), no_wrap=True)
    finally:
        plotext.terminal.limit(True, True)
        figure.clear()


def _draw(figure: Any, hotel: NightlyOccupancy, width: int) -> None:
    peak_on, peak = hotel.peak
    nights = len(hotel.taken)
    figure.plot_size(width, ROWS_PER_HOTEL)
    figure.title(
        f"{hotel.hotel}: {peak:,} of {hotel.rooms:,} rooms on {peak_on.day} {peak_on:%b %Y}, "
        f"mean {hotel.mean_share * 100:.0f} %"
    )
    _fill(figure, hotel.slept_in, color=_MISSED, width=width)
    _fill(figure, hotel.taken, color=_TAKEN, width=width)
    ceiling = plotext.marker("─", _CAPACITY)
    figure.draw(figure.signal([0, nights], [hotel.rooms, hotel.rooms], marker=ceiling).lines())
    half = hotel.rooms // 2
    figure.ruler("y").lim(0, max(hotel.rooms, 1) * 1.08)
    figure.ruler("y").ticks([0, half, hotel.rooms], ["0", f"{half:,}", f"{hotel.rooms:,}"])
    figure.ruler("x").lim(0, nights)
    figure.ruler("x").ticks(*_month_ticks(hotel, width))


def _fill(figure: Any, rooms: Sequence[int], *, color: tuple[int, int, int], width: int) -> None:
    """Draws bars from 0 up, two per character; each shows the fullest of its nights, nothing if all are 0."""
    columns = 2 * width
    nights = len(rooms)
    starts = [column * nights // columns for column in range(columns + 1)]
    heights = [max(rooms[a : max(b, a + 1)]) for a, b in pairwise(starts)]
    drawn = [(column * nights / columns, height) for column, height in enumerate(heights) if height]
    if drawn:
        xs, ys = zip(*drawn, strict=True)
        figure.draw(figure.signal(list(xs), list(ys), marker=plotext.marker("hd", color)).fillx())


def _month_ticks(hotel: NightlyOccupancy, width: int) -> tuple[list[int], list[str]]:
    every = -(-len(hotel.months) * 9 // width) or 1
    shown = hotel.months[::every]
    return [index for index, _ in shown], [f"{day:%b %y}" for _, day in shown]
