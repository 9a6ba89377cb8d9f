"""Turns a booking history into a plan: hotels with rooms, and all actions in chronological order.

**Rooms.** A hotel has as many rooms of each type as the maximum number of completed stays that had booked that type for
the same night: by *reserved* type and by *booked* nights `[arrival, departure)`. So an allocation that knew the future
could give each guest who came the type they booked. A type in which nobody stayed has 0 rooms.

**Times of day.** The file has only dates. On each date actions happen in this order, in the venue's local time:

1. 11:00 check-outs (a stay ends at 11:00 on its departure day)
2. 12:00 bookings are created
3. 14:00 cancellations, after the bookings: hundreds were cancelled on the day they were created
4. 15:00 check-ins (a stay starts at 15:00 on its arrival day), so one booked the same day is there in time
5. 18:00 check-outs of guests who arrived the same day
6. 23:00 no-shows, at the end of the evening

At the same instant, the order is that of the file. Whatever the file says, nothing ends after the booked departure at
11:00, and no-shows are never before the evening of arrival.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from itertools import accumulate
from typing import Final, Literal
from zoneinfo import ZoneInfo

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_utc
from holdfast.replay.stay import Stay

ActionKind = Literal["check_out", "create", "cancel", "check_in", "no_show"]

ZONE: Final = ZoneInfo("Europe/Lisbon")
"""Both hotels of the data set are in Portugal; the file itself has no time zone."""

HOTELS_MAX: Final = 100
SLUG_CHARS_MAX: Final = 40

_CHECK_OUT: Final = time(11)
_BOOKING: Final = time(12)
_CANCEL: Final = time(14)
_CHECK_IN: Final = time(15)
_SAME_DAY_CHECK_OUT: Final = time(18)
_NO_SHOW: Final = time(23)


@dataclass(frozen=True, slots=True)
class Hotel:
    """A hotel to set up. `room_types`: the number of rooms by type, 0 and up."""

    slug: str
    name: str
    room_types: dict[str, int]

    @property
    def rooms(self) -> int:
        """The number of rooms of all types."""
        return sum(self.room_types.values())


@dataclass(frozen=True, slots=True)
class Action:
    """An action on the booking of `stay`, at the time `at` (UTC)."""

    at: datetime
    kind: ActionKind
    stay: Stay


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """Everything a replay needs.

    `hotels`: by their name in the file. `actions`: in chronological order; for each stay one `create`, then `cancel`,
    `no_show`, or `check_in` and `check_out`. Actions of the same kind and time are adjacent, so that they can run as a
    set. `lead_days_max`, `nights_max` and `party_max`: what the venues' policy and rooms must allow. `oddities`: counts
    of the things that had to be interpreted.
    """

    hotels: dict[str, Hotel]
    stays: tuple[Stay, ...]
    actions: tuple[Action, ...]
    lead_days_max: int
    nights_max: int
    party_max: int
    oddities: dict[str, int]


def plan_replay(stays: Iterable[Stay]) -> ReplayPlan:
    """Returns the hotels, rooms and actions of these stays. Raises InvalidRequest past `HOTELS_MAX` hotels."""
    kept = tuple(stays)
    return ReplayPlan(
        hotels=_hotels(kept),
        stays=kept,
        actions=_in_order(kept),
        lead_days_max=max(((stay.arrival_on - stay.booked_on).days for stay in kept), default=0),
        nights_max=max((stay.nights for stay in kept), default=0),
        party_max=max((stay.party_size for stay in kept), default=0),
        oddities=dict(Counter(oddity for stay in kept for oddity in stay.oddities).most_common()),
    )


def stay_span(stay: Stay) -> Span:
    """Returns the span of the booking: arrival day 15:00 to departure day 11:00, local time."""
    start = datetime.combine(stay.arrival_on, _CHECK_IN)
    end = datetime.combine(stay.departure_on, _CHECK_OUT)
    return Span(to_utc(start, ZONE), to_utc(end, ZONE))


def _in_order(stays: Sequence[Stay]) -> tuple[Action, ...]:
    @cache
    def instant(wall: datetime) -> datetime:
        return to_utc(wall, ZONE)

    actions = [Action(instant(wall), kind, stay) for stay in stays for wall, kind in _happenings(stay)]
    # Two kinds share a time of day only where the departure caps it; there, sorting by kind keeps the sets together.
    return tuple(sorted(actions, key=lambda action: (action.at, action.kind, action.stay.line)))


def _happenings(stay: Stay) -> Iterator[tuple[datetime, ActionKind]]:
    departure = datetime.combine(stay.departure_on, _CHECK_OUT)
    yield datetime.combine(stay.booked_on, _BOOKING), "create"
    if stay.outcome == "cancelled":
        yield min(datetime.combine(stay.ended_on, _CANCEL), departure), "cancel"
    elif stay.outcome == "no_show":
        evening = datetime.combine(max(stay.ended_on, stay.arrival_on), _NO_SHOW)
        yield min(evening, departure), "no_show"
    else:
        same_day = stay.ended_on == stay.arrival_on
        left = datetime.combine(stay.left_on, _SAME_DAY_CHECK_OUT if same_day else _CHECK_OUT)
        yield datetime.combine(stay.arrival_on, _CHECK_IN), "check_in"
        yield left, "check_out"


def _hotels(stays: Sequence[Stay]) -> dict[str, Hotel]:
    by_type: dict[str, dict[str, list[Stay]]] = {}
    for stay in stays:
        by_type.setdefault(stay.hotel, {}).setdefault(stay.room_type, []).append(stay)
    if len(by_type) > HOTELS_MAX:
        raise InvalidRequest.of("file", len(by_type), f"it names more than {HOTELS_MAX} hotels")
    slugs = _slugs(sorted(by_type))
    return {
        name: Hotel(slugs[name], name, {room_type: _peak(types[room_type]) for room_type in sorted(types)})
        for name, types in sorted(by_type.items())
    }


def _peak(stays: Sequence[Stay]) -> int:
    change: Counter[date] = Counter()
    for stay in stays:
        if stay.outcome == "completed":
            change[stay.arrival_on] += 1
            change[stay.departure_on] -= 1
    return max(accumulate(change[day] for day in sorted(change)), default=0)


def _slugs(names: Sequence[str]) -> dict[str, str]:
    slugs: dict[str, str] = {}
    for name in names:
        ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        slug = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:SLUG_CHARS_MAX].strip("-") or "hotel"
        taken = set(slugs.values())
        numbered = (f"{slug}-{number}" for number in range(2, len(names) + 2))
        slugs[name] = slug if slug not in taken else next(s for s in numbered if s not in taken)
    return slugs
