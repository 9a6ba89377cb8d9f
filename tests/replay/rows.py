"""Rows and stays to begin a test with; each test changes what it is about."""

from __future__ import annotations

from datetime import date

from holdfast.replay.file import COLUMNS
from holdfast.replay.stay import Stay

ROW = {
    "hotel": "City Hotel",
    "lead_time": "10",
    "arrival_date_year": "2015",
    "arrival_date_month": "July",
    "arrival_date_day_of_month": "11",
    "stays_in_weekend_nights": "1",
    "stays_in_week_nights": "2",
    "adults": "2",
    "children": "1",
    "babies": "0",
    "reserved_room_type": "A",
    "assigned_room_type": "A",
    "reservation_status": "Check-Out",
    "reservation_status_date": "7/14/2015",
}


def csv_text(*changes: dict[str, str]) -> str:
    """A file with one row for each of `changes` to `ROW`."""
    rows = [{**ROW, **change} for change in changes]
    return (
        "\n".join([",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)]) + "\n"
    )


def stay(line: int = 2, **changes: object) -> Stay:
    """Booked on 1 July for the nights of 11, 12 and 13 July 2015, and stayed."""
    values: dict[str, object] = {
        "hotel": "City Hotel",
        "room_type": "A",
        "booked_on": date(2015, 7, 1),
        "arrival_on": date(2015, 7, 11),
        "departure_on": date(2015, 7, 14),
        "party_size": 2,
        "outcome": "completed",
        "ended_on": date(2015, 7, 14),
    }
    return Stay(line=line, **{**values, **changes})  # pyright: ignore[reportArgumentType]
