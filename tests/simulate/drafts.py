"""What may be asked: drawn by Hypothesis without knowing the time, then turned into requests.

Values are few, so that they meet: a handful of times, places and people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import hypothesis.strategies as st

from .house import House
from .run import Run
from .words import Ask, Booking, Who

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class At:
    """A start: the next time that it is so many minutes after the venue's midnight, or so many days later;
    with days -1, so many minutes from now."""

    days: int
    minutes: int

    def instant(self, house: House, now: datetime) -> datetime:
        if self.days < 0:
            return (now + self.minutes * MINUTE).replace(second=0, microsecond=0)
        today: date = house.wall(now).date()
        day = today if house.instant(today, self.minutes) >= now else today + timedelta(days=1)
        return house.instant(day + timedelta(days=self.days), self.minutes)


@dataclass(frozen=True)
class Draft:
    """A booking that somebody may want. Without a size, as many come as the places named take, or two."""

    venue: int
    at: At
    who: str = "bob"
    size: int | None = None
    minutes: int | None = None
    place: int = 0
    kind: int = 0
    slot: bool = False
    hold: bool = False
    guest: bool = False


def mostly(usual: st.SearchStrategy, *others: st.SearchStrategy) -> st.SearchStrategy:
    """Eight times in ten the usual. (`one_of` would forget that a strategy was given several times; and
    Hypothesis is fond of the ends of a range.)"""
    return st.integers(0, 9).flatmap(lambda n: st.one_of(others) if n in (4, 6) else usual)


def clocks(*texts: str) -> st.SearchStrategy[int]:
    return st.sampled_from([int(each[:2]) * 60 + int(each[3:]) for each in texts])


USUAL = clocks("18:00", "18:30", "19:30", "21:00")
ODD = clocks("12:00", "21:10", "22:00", "23:00", "24:30", "17:07", "09:30")
SOON = st.sampled_from([0, 15, 30, 60, 120, 240, -60])
ATS = mostly(
    st.builds(At, st.sampled_from([0, 0, 0, 1]), USUAL),
    st.builds(At, st.integers(0, 3), ODD),
    st.builds(At, st.just(-1), SOON),
)
SIZES = mostly(st.integers(2, 4), st.integers(1, 9))
LENGTHS = st.sampled_from([None, None, None, None, 60, 30, 120, 300])
VENUES = st.sampled_from([0, 0, 0, 1, 2])
PLACES = st.integers(0, 9)
KINDS = mostly(st.just(0), st.integers(1, 3))
DRAFTS = st.builds(
    Draft,
    venue=VENUES,
    at=ATS,
    who=st.sampled_from(["bob", "bob", "gina", "gus"]),
    size=mostly(st.none(), SIZES),
    minutes=LENGTHS,
    place=PLACES,
    kind=KINDS,
    slot=mostly(st.just(False), st.booleans()),
    hold=st.booleans(),
    guest=st.booleans(),
)
# "owner" is the guest whose booking it is.
PEOPLE = mostly(st.sampled_from(["bob", "owner"]), st.sampled_from(["gus", "charlie"]))
# None: without a key. "new": one that was never used. The other is used again and again.
KEYS = st.sampled_from([None, None, None, "new", "new", "new", "k1"])
PICKS = st.integers(0, 30)
# How far the version that is expected is off.
STALE = mostly(st.just(0), st.sampled_from([0, -1, 1]))

PLACES_BY_VENUE = [
    "t1", "t2", "t3", "s1", "l1", "t1 t2", "t3 t2", "t1 s1", "t1 t2 t3"
], ["r1", "s1", "r1 s1"], ["f1", "f2", "f1 f2"]  # fmt: skip
KINDS_BY_VENUE = (
    ["table", "section", "table lane", "room"],
    ["room section", "section", "table"],
    ["facility", "facility room", "lane"],
)


def places(venue: int, number: int) -> tuple[str, ...]:
    """The places that the number stands for; 0: none."""
    return _chosen(PLACES_BY_VENUE[venue], number)


def kinds(venue: int, number: int) -> tuple[str, ...]:
    """The kinds of places that the number stands for; 0: none."""
    return _chosen(KINDS_BY_VENUE[venue], number)


def _chosen(lists: list[str], number: int) -> tuple[str, ...]:
    return tuple(lists[number % len(lists)].split()) if number else ()


class Asking:
    """Turns what was drawn into what is asked."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.keys = 0

    def who(self, name: str, venue: int, booking: Booking | None = None) -> Who:
        """Bob works there, Gina and Gus are guests, Charlie works elsewhere."""
        own = self.run.house(venue).tenant_id
        if name == "owner":
            name = (booking and booking.guest) or "bob"
        if name == "system":
            return Who("system", "system")
        if name == "charlie":
            return Who("staff", name, next(each for each in self.run.tenants if each != own))
        return Who("staff" if name == "bob" else "guest", name, own)

    def key(self, key: str | None) -> str | None:
        self.keys += 1
        return f"new {self.keys}" if key == "new" else key

    def ask(self, draft: Draft) -> Ask:
        house, who = self.run.house(draft.venue), self.who(draft.who, draft.venue)
        named = places(draft.venue, draft.place)
        all_seats = house.seats(tuple(house.places[each] for each in named))[1] if named else 2
        return Ask(
            venue=draft.venue,
            who=who,
            start=draft.at.instant(house, self.run.now),
            minutes=draft.minutes,
            size=draft.size or all_seats,
            places=named,
            kinds=() if named else kinds(draft.venue, draft.kind),
            slot=draft.slot and house.slot is not None,
            hold=draft.hold,
            guest=who.id if who.kind == "guest" else "gina" if draft.guest else None,
            ip="192.0.2.1" if draft.hold else None,
        )

    def ask_for_its_place(self, booking: Booking, draft: Draft, *, minutes: int) -> Ask:
        """The same place, so many minutes after that booking's start."""
        ask = self.ask(replace(draft, venue=booking.venue, size=booking.size))
        start = booking.start + minutes * MINUTE
        return replace(
            ask, start=start, places=tuple(each.slug for each in booking.choice), kinds=(), slot=False
        )
