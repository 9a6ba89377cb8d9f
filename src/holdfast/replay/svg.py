"""The occupancy of a replay as an SVG chart, meant for the owner of a hotel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from html import escape
from typing import Final

from holdfast.replay.occupancy import NightlyOccupancy

WIDTH: Final = 1200
_LEFT: Final = 84
_RIGHT: Final = 1092
_HEAD: Final = 122
_PANEL: Final = 300
_PLOT: Final = 200
_FOOT: Final = 44

_INK: Final = "#1d2733"
_QUIET: Final = "#667482"
_GRID: Final = "#e7ebef"
_TAKEN: Final = "#2f7f79"
_MISSED: Final = "#e4572e"
_CAPACITY: Final = "#b98a1f"


def occupancy_svg(hotels: Sequence[NightlyOccupancy], *, title: str, caption: str) -> str:
    """Returns a standalone SVG document: one panel per hotel, rooms per night, with a line at its capacity.

    `title` and `caption`: plain text, one line each. All panels share a time axis; each has its own room axis from 0.
    Without hotels, it says that nobody stayed.
    """
    height = _HEAD + _PANEL * max(len(hotels), 1) + _FOOT
    body = [line for index, hotel in enumerate(hotels) for line in _panel(hotel, _HEAD + index * _PANEL)]
    nobody = _text(_LEFT, _HEAD + 60, "Nobody stayed: there is nothing to draw.", size=18, fill=_QUIET)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" font-family="Inter, Segoe UI, Helvetica, Arial, sans-serif">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(caption)}</desc>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            _text(_LEFT, 48, title, size=26, weight=700),
            _text(_LEFT, 76, caption, size=15, fill=_QUIET),
            *_legend(),
            *(body or [nobody]),
            _text(_RIGHT, height - 16, "one step is one night", size=12, fill=_QUIET, anchor="end"),
            "</svg>",
            "",
        ]
    )


def _legend() -> Iterator[str]:
    entries = ((_TAKEN, "rooms slept in"), (_MISSED, "refused here, though the guests really came"))
    x = _LEFT
    for color, words in entries:
        yield f'<rect x="{x}" y="96" width="14" height="14" rx="3" fill="{color}"/>'
        yield _text(x + 22, 108, words, size=14)
        x += 46 + 8 * len(words)
    yield f'<path d="M{x} 103h26" stroke="{_CAPACITY}" stroke-width="2" stroke-dasharray="7 5"/>'
    yield _text(x + 34, 108, "all rooms of the hotel", size=14)


def _panel(hotel: NightlyOccupancy, top: int) -> Iterator[str]:
    ceiling, step = _scale(hotel.rooms)
    plot_top, floor = top + 64, top + 64 + _PLOT
    peak_on, peak = hotel.peak
    summary = (
        f"fullest night {peak_on.day} {peak_on:%b %Y} with {peak:,} of {hotel.rooms:,} rooms · "
        f"mean {hotel.mean_share * 100:.0f} % over {len(hotel.open_nights):,} nights"
    )
    yield _text(_LEFT, top + 44, hotel.hotel, size=19, weight=700)
    yield _text(_RIGHT, top + 44, summary, size=14, fill=_QUIET, anchor="end")
    for rooms in range(0, ceiling + 1, step):
        y = _y(rooms, ceiling, floor)
        yield f'<path d="M{_LEFT} {y}H{_RIGHT}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 10, y + 4.5, f"{rooms:,}", size=13, fill=_QUIET, anchor="end")
    yield from _months(hotel, plot_top, floor)
    yield _area(hotel.slept_in, hotel.taken, ceiling, floor, color=_MISSED)
    yield _area(hotel.taken, [0] * len(hotel.taken), ceiling, floor, color=_TAKEN)
    yield from _capacity(hotel, ceiling, floor)
    yield from _silence(hotel, floor)
    yield f'<path d="M{_LEFT} {floor}H{_RIGHT}" stroke="{_INK}"/>'
    middle = (plot_top + floor) // 2
    yield _text(28, middle, "rooms", size=13, fill=_QUIET, anchor="middle", turn=-90)


def _capacity(hotel: NightlyOccupancy, ceiling: int, floor: int) -> Iterator[str]:
    y = _y(hotel.rooms, ceiling, floor)
    yield f'<path d="M{_LEFT} {y}H{_RIGHT}" stroke="{_CAPACITY}" stroke-width="2" stroke-dasharray="7 5"/>'
    yield _text(_RIGHT + 8, y + 4.5, f"{hotel.rooms:,} rooms", size=13, weight=700, fill=_CAPACITY)


def _silence(hotel: NightlyOccupancy, floor: int) -> Iterator[str]:
    """Explains why the panel is empty to the right, if that is a third of the axis or more."""
    nights, end = len(hotel.taken), hotel.open_nights.stop
    if 0 < end < nights * 2 / 3:
        last_on = hotel.first_on + timedelta(days=end - 1)
        words = f"no guest in the file after the night of {last_on.day} {last_on:%b %Y}"
        yield _text(_x(end, nights) + 12, floor - 10, words, size=13, fill=_QUIET)


def _months(hotel: NightlyOccupancy, top: int, floor: int) -> Iterator[str]:
    nights = len(hotel.taken)
    shown = hotel.months[:: -(-len(hotel.months) // 20)]
    for index, day in shown:
        x = _x(index, nights)
        yield f'<path d="M{x} {top}V{floor + 6}" stroke="{_GRID}"/>'
        if x < _RIGHT - 24:
            yield _text(x + 2, floor + 20, f"{day:%b}", size=13, fill=_QUIET)
        if index == 0 or day == next(first for _, first in shown if first.year == day.year):
            yield _text(x + 2, floor + 36, f"{day:%Y}", size=13, weight=700)


def _area(upper: Sequence[int], lower: Sequence[int], ceiling: int, floor: int, *, color: str) -> str:
    """Returns the area between two step lines, as one closed path; nothing is drawn where they are equal."""
    nights = len(upper)
    there = "".join(f"H{_x(i, nights)}V{_y(v, ceiling, floor)}" for i, v in enumerate(upper))
    back = "".join(f"V{_y(lower[i], ceiling, floor)}H{_x(i, nights)}" for i in range(nights - 1, -1, -1))
    return f'<path d="M{_LEFT} {floor}{there}H{_RIGHT}{back}Z" fill="{color}"/>'


def _scale(rooms: int) -> tuple[int, int]:
    """Returns the top of the axis, above `rooms`, and a round step that gives 3 to 6 grid lines."""
    step = next(
        factor * 10**power for power in range(10) for factor in (1, 2, 5) if factor * 10**power * 5 >= rooms
    )
    return (rooms // step + 1) * step, step


def _x(index: int, nights: int) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * index / nights, 1)


def _y(rooms: int, ceiling: int, floor: int) -> float:
    return round(floor - _PLOT * rooms / ceiling, 1)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int,
    fill: str = _INK,
    weight: int = 400,
    anchor: str = "start",
    turn: int = 0,
) -> str:
    turned = f' transform="rotate({turn} {x} {y})"' if turn else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}"{turned}>{escape(words)}</text>'
    )
