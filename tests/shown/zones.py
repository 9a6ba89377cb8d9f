"""Time zones, each with a year in which its clocks changed, and when they did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

# Half-hour changes, changes at midnight, of two hours at once, and of summer time in winter.
YEARS = {
    "Africa/Cairo": 2024,
    "Africa/Casablanca": 2024,
    "America/Asuncion": 2023,
    "America/Halifax": 2027,
    "America/Havana": 2027,
    "America/Los_Angeles": 2027,
    "America/Miquelon": 2027,
    "America/New_York": 2027,
    "America/Nuuk": 2025,
    "America/Santiago": 2027,
    "America/Scoresbysund": 2024,
    "America/St_Johns": 2027,
    "Antarctica/Troll": 2027,
    "Asia/Amman": 2021,
    "Asia/Beirut": 2027,
    "Asia/Gaza": 2024,
    "Asia/Jerusalem": 2027,
    "Asia/Tehran": 2021,
    "Atlantic/Azores": 2027,
    "Australia/Adelaide": 2027,
    "Australia/Lord_Howe": 2027,
    "Australia/Sydney": 2027,
    "Europe/Chisinau": 2027,
    "Europe/Dublin": 2027,
    "Europe/Kyiv": 2027,
    "Europe/Stockholm": 2027,
    "Pacific/Apia": 2020,
    "Pacific/Auckland": 2027,
    "Pacific/Chatham": 2027,
    "Pacific/Easter": 2027,
}


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The instants of that year, to the half hour, at which its clocks changed."""
    tz, at = ZoneInfo(zone), datetime(YEARS[zone], 1, 1, tzinfo=UTC)
    found = list[datetime]()
    while at.year == YEARS[zone]:
        following = at + timedelta(minutes=30)
        if at.astimezone(tz).utcoffset() != following.astimezone(tz).utcoffset():
            found.append(following)
        at = following
    assert found, zone
    return tuple(found)
