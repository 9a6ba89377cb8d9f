"""One line of a booking history: a stay that can be replayed, or the reason why it can't."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

Outcome = Literal["completed", "cancelled", "no_show"]

LEAD_DAYS_MAX: Final = 3_660
NIGHTS_MAX: Final = 731
PARTY_MAX: Final = 1_000
NAME_CHARS_MAX: Final = 120

PARTY_OF_NOBODY: Final = "a party of 0, taken as one guest"
GUESTS_NOT_GIVEN: Final = "adults, children or babies not given, taken as none"
EARLY_CHECK_OUT: Final = "checked out before the booked departure: the remaining nights are free again"
SAME_DAY_CHECK_OUT: Final = "checked out on the day of arrival"
LATE_END: Final = "ended after the booked departure, taken at the departure"
EARLY_NO_SHOW: Final = "no-show dated before the arrival, taken on the evening of the arrival"
LATE_CANCEL: Final = "cancelled after the arrival day: the room was kept until then"
OTHER_ROOM_TYPE: Final = "given another room type than the one booked"

_NOT_GIVEN: Final = frozenset({"", "NULL", "NA"})
# Not calendar.month_name, which depends on the locale.
_MONTH_NAMES: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_OUTCOMES: Final[dict[str, Outcome]] = {
    "Check-Out": "completed",
    "Canceled": "cancelled",
    "No-Show": "no_show",
}


@dataclass(frozen=True, slots=True)
class Stay:
    """A booking as in the file, with dates in the hotel's time zone.

    `line`: its place in the file (the header is line 1), which identifies it. It was created on `booked_on` for the
    nights `[arrival_on, departure_on)`, at least one, in a room of `room_type` (the type reserved, not the one
    assigned), for `party_size` >= 1. It ended on `ended_on` with `outcome`; never before `booked_on`, and if completed
    never before `arrival_on`. `oddities`: what had to be interpreted, as sentences from this module.
    """

    line: int
    hotel: str
    room_type: str
    booked_on: date
    arrival_on: date
    departure_on: date
    party_size: int
    outcome: Outcome
    ended_on: date
    oddities: tuple[str, ...] = ()

    @property
    def nights(self) -> int:
        """Booked nights, 1 to `NIGHTS_MAX`."""
        return (self.departure_on - self.arrival_on).days

    @property
    def left_on(self) -> date:
        """The day a completed stay left its room: at the latest the booked departure."""
        return min(self.ended_on, self.departure_on)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that can't be replayed. `problem`: the same text for all lines with that problem, so that they can be
    counted; `value`: what the line contains."""

    line: int
    problem: str
    value: str


class _Unusable(Exception):
    def __init__(self, problem: str, value: object) -> None:
        self.problem, self.value = problem, str(value)[:NAME_CHARS_MAX]
        super().__init__(problem)


def read_row(line: int, row: dict[str, str]) -> Stay | BadRow:
    """Parses a row in the hotel booking demand format: a stay, or what is wrong with the row.

    `row` has each of `file.COLUMNS`. An odd row with an obvious reading becomes a stay with `oddities`; a contradictory
    one becomes a BadRow.
    """
    try:
        return _stay(line, row)
    except _Unusable as unusable:
        return BadRow(line, unusable.problem, unusable.value)


def _stay(line: int, row: dict[str, str]) -> Stay:
    arrival_on = _arrival(row)
    nights = _nights(row)
    party_size, guest_oddities = _party(row)
    stay = Stay(
        line=line,
        hotel=_name(row, "hotel"),
        room_type=_name(row, "reserved_room_type"),
        booked_on=arrival_on - timedelta(days=_number(row, "lead_time", most=LEAD_DAYS_MAX)),
        arrival_on=arrival_on,
        departure_on=arrival_on + timedelta(days=nights),
        party_size=party_size,
        outcome=_outcome(row),
        ended_on=_ended(row),
    )
    _refuse_contradictions(stay)
    return replace(stay, oddities=(*guest_oddities, *_oddities(stay, row)))


def _arrival(row: dict[str, str]) -> date:
    year = _number(row, "arrival_date_year", most=2_200)
    month = row["arrival_date_month"].strip()
    day = _number(row, "arrival_date_day_of_month", most=31)
    if month not in _MONTHS:
        raise _Unusable("arrival_date_month is not the English name of a month", month)
    try:
        arrival_on = date(year, _MONTHS[month], day)
    except ValueError:
        raise _Unusable("there is no such arrival date", f"{day} {month} {year}") from None
    if year < 1_990:
        raise _Unusable("the arrival is before 1990", arrival_on)
    return arrival_on


def _nights(row: dict[str, str]) -> int:
    weekend = _number(row, "stays_in_weekend_nights", most=NIGHTS_MAX)
    week = _number(row, "stays_in_week_nights", most=NIGHTS_MAX)
    if weekend + week == 0:
        raise _Unusable("a stay of 0 nights", f"{weekend} weekend nights + {week} week nights")
    if weekend + week > NIGHTS_MAX:
        raise _Unusable(f"a stay of more than {NIGHTS_MAX} nights", weekend + week)
    return weekend + week


def _party(row: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    columns = ("adults", "children", "babies")
    given = [column for column in columns if row[column].strip() not in _NOT_GIVEN]
    size = sum(_number(row, column, most=PARTY_MAX) for column in given)
    if size > PARTY_MAX:
        raise _Unusable(f"a party of more than {PARTY_MAX}", size)
    oddities = (GUESTS_NOT_GIVEN,) if len(given) < len(columns) else ()
    return (size, oddities) if size else (1, (*oddities, PARTY_OF_NOBODY))


def _outcome(row: dict[str, str]) -> Outcome:
    status = row["reservation_status"].strip()
    if status not in _OUTCOMES:
        raise _Unusable(f"reservation_status is not one of {', '.join(_OUTCOMES)}", status)
    return _OUTCOMES[status]


def _ended(row: dict[str, str]) -> date:
    text = row["reservation_status_date"].strip()
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a calendar date has no zone
    except ValueError:
        raise _Unusable("reservation_status_date is not a date M/D/YYYY", text) from None


def _name(row: dict[str, str], column: str) -> str:
    name = row[column].strip()
    if name in _NOT_GIVEN:
        raise _Unusable(f"{column} is not given", name)
    if not name.isprintable():
        raise _Unusable(f"{column} has characters that can't be printed", repr(name))
    if len(name) > NAME_CHARS_MAX:
        raise _Unusable(f"{column} is longer than {NAME_CHARS_MAX} characters", name)
    return name


def _number(row: dict[str, str], column: str, *, most: int) -> int:
    text = row[column].strip()
    # Checks the length first: int() of a very long run of digits is slow.
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= most):
        raise _Unusable(f"{column} is not a whole number from 0 to {most}", text)
    return int(text)


def _refuse_contradictions(stay: Stay) -> None:
    if stay.ended_on < stay.booked_on:
        raise _Unusable("it ended before it was booked", f"{stay.ended_on} before {stay.booked_on}")
    if stay.outcome == "completed" and stay.ended_on < stay.arrival_on:
        raise _Unusable("checked out before the arrival", f"{stay.ended_on} before {stay.arrival_on}")


def _oddities(stay: Stay, row: dict[str, str]) -> list[str]:
    given = row["assigned_room_type"].strip()
    completed, no_show = stay.outcome == "completed", stay.outcome == "no_show"
    found = {
        EARLY_CHECK_OUT: completed and stay.ended_on < stay.departure_on,
        SAME_DAY_CHECK_OUT: completed and stay.ended_on == stay.arrival_on,
        EARLY_NO_SHOW: no_show and stay.ended_on < stay.arrival_on,
        LATE_CANCEL: stay.outcome == "cancelled" and stay.ended_on > stay.arrival_on,
        LATE_END: stay.ended_on > stay.departure_on,
        OTHER_ROOM_TYPE: given not in _NOT_GIVEN and given != stay.room_type,
    }
    return [oddity for oddity, is_so in found.items() if is_so]
