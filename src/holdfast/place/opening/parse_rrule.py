"""Parses the supported subset of RFC 5545's RRULE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from holdfast.kernel.errors import InvalidRequest

NUMBER_MAX = 366 + 365 + 2
"""The largest useful INTERVAL or COUNT: two years don't have more days."""
TEXT_CHARS_MAX = 200

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY")
_PARTS = ("FREQ", "INTERVAL", "BYDAY", "UNTIL", "COUNT")
_UNTIL = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A parsed rule.

    `text`: its canonical form, such as "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20271231". `freq`: one of FREQUENCIES.
    `weekdays`: 0 is Monday. `until`: a date, a local time (naive) or an instant in UTC.
    """

    text: str
    freq: str
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    until: date | datetime | None = None
    count: int | None = None

    @property
    def end_part(self) -> str:
        """The part that ends it, such as "COUNT=10"."""
        return self.text.rpartition(";")[2]


def parse(text: str) -> Recurrence:
    """Parses a recurrence; accepts a leading "RRULE:" and lower case.

    Raises InvalidRequest with the part, its value and what would be right.
    """
    parts = _parts(text)
    freq = parts.get("FREQ")
    if freq is None:
        raise wrong(text, "FREQ is missing: give FREQ=DAILY, FREQ=WEEKLY or FREQ=MONTHLY")
    if freq not in FREQUENCIES:
        raise wrong(f"FREQ={freq}", "FREQ must be DAILY, WEEKLY or MONTHLY")
    interval = _number(parts, "INTERVAL") or 1
    weekdays = _weekdays(parts, freq)
    if ("UNTIL" in parts) == ("COUNT" in parts):
        problem = "give UNTIL or COUNT, not both" if "UNTIL" in parts else "give an end: UNTIL or COUNT"
        raise wrong(text, f"{problem} (such as UNTIL=20271231 or COUNT=10)")
    until = _until(parts["UNTIL"]) if "UNTIL" in parts else None
    count = _number(parts, "COUNT")
    shown = {
        "FREQ": freq,
        "INTERVAL": str(interval) if interval > 1 else None,
        "BYDAY": ",".join(WEEKDAYS[each] for each in weekdays),
        "UNTIL": parts.get("UNTIL"),
        "COUNT": str(count) if count else None,
    }
    canonical = ";".join(f"{name}={value}" for name, value in shown.items() if value)
    return Recurrence(canonical, freq, interval, weekdays, until, count)


def _parts(text: str) -> dict[str, str]:
    if len(text) > TEXT_CHARS_MAX:
        raise wrong(text[:TEXT_CHARS_MAX], f"is longer than {TEXT_CHARS_MAX} characters")
    parts: dict[str, str] = {}
    for each in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, is_pair, value = each.partition("=")
        if not is_pair or not value:
            raise wrong(each, f"{each!r} is not a part: write NAME=value, with ; between parts")
        if name not in _PARTS:
            raise wrong(each, f"{name} is not supported: the supported parts are {', '.join(_PARTS)}")
        if name in parts:
            raise wrong(each, f"{name} appears twice: give it once")
        parts[name] = value
    return parts


def _number(parts: dict[str, str], name: str) -> int | None:
    value = parts.get(name)
    if value is None:
        return None
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= NUMBER_MAX:
        raise wrong(f"{name}={value}", f"{name} must be a whole number from 1 to {NUMBER_MAX}")
    return int(value)


def _weekdays(parts: dict[str, str], freq: str) -> tuple[int, ...]:
    value = parts.get("BYDAY")
    if value is None:
        return ()
    if freq != "WEEKLY":
        raise wrong(f"BYDAY={value}", f"BYDAY works only with FREQ=WEEKLY, not with FREQ={freq}")
    names = set(value.split(","))
    if not names <= set(WEEKDAYS):
        allowed = f"one or more of {', '.join(WEEKDAYS)}, separated by commas, without numbers"
        raise wrong(f"BYDAY={value}", f"BYDAY must be {allowed}")
    return tuple(sorted(map(WEEKDAYS.index, names)))


def _until(value: str) -> date | datetime:
    problem = "UNTIL must be a date (20271231), a local time (20271231T170000) or an instant in UTC (20271231T160000Z)"
    if not _UNTIL.fullmatch(value):
        raise wrong(f"UNTIL={value}", problem)
    try:
        # ISO 8601 in its basic form, like all of RFC 5545.
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    except ValueError as error:
        raise wrong(f"UNTIL={value}", problem) from error


def wrong(value: str, problem: str) -> InvalidRequest:
    """The error for an invalid recurrence."""
    return InvalidRequest.of("rrule", value, problem)
