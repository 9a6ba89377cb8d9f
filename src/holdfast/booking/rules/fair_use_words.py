"""What a refusal by a rule of fair use says."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import NamedTuple

from holdfast.place.policies.fair_use import Per


class Excess(NamedTuple):
    """A bound that a booking would exceed. `bound`: its name; `used`: what is used of it already; `asked`: what the
    booking would use; `until`: from then on it could be booked; `day`: the last day, or the Monday of the week."""

    bound: str
    most: float
    used: float
    asked: float = 1
    until: datetime | None = None
    day: date | None = None


def said(excess: Excess, per: Per, name: str, tz: tzinfo, *, is_staff: bool) -> str:
    """Returns the sentence: what is used, and what would be right."""
    has, may = _who(per, name, is_staff=is_staff)
    most, used = f"{excess.most:g}", f"{excess.used:g}"
    match excess.bound:
        case "open_bookings_max":
            return _open(excess, has, may, tz)
        case "days_ahead_max":
            return f"{_capital(may)} book at most {most} days ahead here: choose a day until {excess.day}."
        case "hours_per_week_max":
            return (
                f"{has} {used} hours here in the week from {excess.day}; with {excess.asked:g} more it would "
                f"be over {most}: choose a shorter time, or another week."
            )
        case _:
            there = "1 booking" if excess.used == 1 else f"{used} bookings"
            right = (
                "choose another time" if excess.asked == 1 else f"an order of {excess.asked:g} is too much"
            )
            return f"{has} {there} here at that time, and {may} have {most} at once: {right}."


def _open(excess: Excess, has: str, may: str, tz: tzinfo) -> str:
    there = "1 open booking" if excess.used == 1 else f"{excess.used:g} open bookings"
    until = (
        "one is over" if excess.until is None else excess.until.astimezone(tz).isoformat(timespec="minutes")
    )
    return f"{has} {there} here, and {may} have {excess.most:g} at a time: cancel one, or wait until {until}."


def _who(per: Per, name: str, *, is_staff: bool) -> tuple[str, str]:
    match per:
        case "group":
            return f"The group {name} has", "it may"
        case "address":
            return "Your network address has", "it may"
        case _:
            return ("This guest has", "they may") if is_staff else ("You have", "you may")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
