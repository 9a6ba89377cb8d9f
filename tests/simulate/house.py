"""A venue as the oracle knows it: straight from its document, every question answered the long way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

DEFAULTS: dict[str, Any] = {
    "lifecycle": "instant",
    "slot_step_minutes": 15,
    "default_duration_minutes": 90,
    "duration_minutes_max": 60 * 24 * 60,
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 0,
    "min_notice_minutes": 0,
    "max_advance_days": 365,
    "hold_ttl_seconds": 300,
    "payment_deadline_minutes": 30,
    "approval_ttl_hours": 24,
    "no_show_grace_minutes": 15,
    "auto_no_show": True,
    "auto_complete": True,
    "pacing_covers_max": None,
    "combination_resources_max": 3,
    "holds_per_guest_max": 3,
    "holds_per_ip_max": 20,
    "idempotency_ttl_hours": 24,
}


@dataclass(frozen=True)
class Place:
    """One resource."""

    id: UUID
    slug: str
    kind: str
    seats_min: int
    seats_max: int
    units: int
    before: timedelta
    after: timedelta
    hours: tuple[str, str] | None
    active: bool

    def claimed(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """The time that a stay takes here, buffers included."""
        return start - self.before, end + self.after


Choice = tuple[Place, ...]


class House:
    """One venue. Its document has at most one rule of weekly hours, which holds every day."""

    def __init__(
        self, document: dict[str, Any], *, tenant_id: UUID, id: UUID, ids: Mapping[str, UUID]
    ) -> None:
        self.document, self.tenant_id, self.id = document, tenant_id, id
        self.rules = DEFAULTS | document["policy"]
        self.tz = ZoneInfo(document["timezone"])
        self.hours = _hours(document)
        self.slot: dict[str, Any] | None = next(iter(document.get("slots", ())), None)
        places = [self._place(each, ids[each["slug"]]) for each in document["resources"]]
        self.places = {each.slug: each for each in places}
        self.lost = {
            frozenset((each["slug"], other["slug"])): other["seats_lost"]
            for each in document["resources"]
            for other in each.get("adjacent", ())
        }

    def _place(self, said: dict[str, Any], id: UUID) -> Place:
        rules = self.rules
        return Place(
            id=id,
            slug=said["slug"],
            kind=said["kind"],
            seats_min=said.get("seats_min", 1),
            seats_max=said["seats_max"],
            units=said.get("units", 1),
            before=timedelta(minutes=said.get("buffer_before_minutes", rules["buffer_before_minutes"])),
            after=timedelta(minutes=said.get("buffer_after_minutes", rules["buffer_after_minutes"])),
            hours=_hours(said),
            active=said.get("active", True),
        )

    def minutes(self, rule: str) -> timedelta:
        return timedelta(minutes=self.rules[rule])

    def seats(self, choice: Choice) -> tuple[int, int]:
        """The smallest and the largest party for these places together."""
        pairs = (frozenset((a.slug, b.slug)) for a, b in combinations(choice, 2))
        most = max(sum(each.seats_max for each in choice) - sum(self.lost.get(pair, 0) for pair in pairs), 0)
        return min(sum(each.seats_min for each in choice), most), most

    def choices(self, size: int, kinds: Sequence[str]) -> tuple[list[Choice], set[str]]:
        """The choices that would seat the party, best first; or why there are none."""
        places = [each for each in self.places.values() if each.active and (not kinds or each.kind in kinds)]
        if not places:
            return [], {"INVALID_REQUEST"}
        most = self.rules["combination_resources_max"]
        every = [c for n in range(1, most + 1) for c in combinations(places, n) if self._hang_together(c)]
        fitting = [each for each in every if not self.unfit(each, size)]
        # Sorting is stable: equals stay in the order of the document.
        fitting.sort(key=lambda choice: (len(choice), self.seats(choice)[1] - size))
        if fitting:
            return fitting, set()
        too_large = any(self.seats(each)[1] < size for each in every)
        too_small = any(self.seats(each)[0] > size for each in every)
        return [], {"PARTY_TOO_LARGE"} if too_large else {"PARTY_TOO_SMALL"} if too_small else set()

    def named(self, places: Sequence[str], size: int) -> tuple[list[Choice], set[str]]:
        """These places, if they take the party; or why they don't."""
        choice = tuple(self.places[each] for each in places)
        codes = self.unfit(choice, size)
        return [] if codes else [choice], codes

    def nearby(self, places: Sequence[str], size: int, kinds: Sequence[str]) -> tuple[list[Choice], set[str]]:
        """The choices for a party that has these places, and did not ask for them. It stays if it fits there and needs
        no fewer places; of too many it keeps some."""
        own = tuple(self.places[each] for each in places)
        choices, codes = self.choices(size, kinds)
        stay = [] if self.unfit(own, size) else [own]
        others = [each for each in choices if set(each) != set(own)]
        if stay and (not choices or len(own) <= len(choices[0])):
            return stay + others, set()
        parts = [each for each in others if len(each) == len(choices[0]) and set(each) < set(own)]
        return parts + [each for each in others if each not in parts] + stay, codes

    def unfit(self, choice: Choice, size: int) -> set[str]:
        """Why these places don't take the party; empty: they do."""
        if not all(each.active for each in choice):
            return {"INVALID_REQUEST"}
        least, most = self.seats(choice)
        return {"PARTY_TOO_LARGE"} if size > most else {"PARTY_TOO_SMALL"} if size < least else set()

    def _hang_together(self, choice: Choice) -> bool:
        reached, left = {choice[0]}, set(choice[1:])
        while more := {b for b in left if any(frozenset((a.slug, b.slug)) in self.lost for a in reached)}:
            reached, left = reached | more, left - more
        return not left

    def wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self.tz).replace(tzinfo=None)

    def instant(self, day: date, minutes: int) -> datetime:
        """So many minutes on the wall clock after midnight of the day."""
        wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
        return wall.replace(tzinfo=self.tz).astimezone(UTC)

    def is_open(self, place: Place | None, start: datetime, end: datetime) -> bool:
        """Whether it is open all that time (at most a day), by the place's own hours if it has some."""
        hours = self._hours_of(place)
        return hours is None or any(
            opens <= self.wall(start) and self.wall(end) <= closes
            for opens, closes in self._openings(hours, start)
        )

    def is_all_open(self, choice: Choice, start: datetime, end: datetime) -> bool:
        return all(self.is_open(each, start, end) for each in choice)

    def on_step(self, place: Place | None, start: datetime) -> bool:
        """Whether bookings start at that time."""
        hours, wall = self._hours_of(place), self.wall(start)
        midnight = datetime.combine(wall.date(), time())
        opened = [] if hours is None else [o for o, c in self._openings(hours, start) if o <= wall < c]
        return any(not (wall - each) % self.minutes("slot_step_minutes") for each in opened or [midnight])

    def slot_on(self, day: date) -> tuple[datetime, datetime]:
        """From when to when the venue's slot runs."""
        assert self.slot is not None
        start = self.instant(day, _minutes(self.slot["start"]))
        return start, start + timedelta(minutes=self.slot["minutes"])

    def is_slot(self, start: datetime, end: datetime) -> bool:
        """Whether that time is just the venue's slot."""
        return self.slot is not None and (start, end) == self.slot_on(self.wall(start).date())

    def wrong_length(self, length: timedelta) -> set[str]:
        """Why nobody may ask for that length."""
        usual, most = self.minutes("default_duration_minutes"), self.minutes("duration_minutes_max")
        return {"INVALID_REQUEST"} if length not in (usual, min(length, most)) else set()

    def wrong_time(
        self,
        choices: list[Choice],
        start: datetime,
        end: datetime,
        now: datetime,
        *,
        is_slot: bool = False,
        same_start: bool = False,
    ) -> set[str]:
        """One of the choices must be open, and bookings of its first place start then."""
        codes = set[str]()
        able = [each for each in choices if self.is_all_open(each, start, end)]
        if choices and not able:
            codes.add("OUTSIDE_OPENING_HOURS")
        if same_start:
            return codes
        if start < now + self.minutes("min_notice_minutes"):
            codes.add("TOO_SOON")
        if start > now + timedelta(days=self.rules["max_advance_days"]):
            codes.add("TOO_FAR_AHEAD")
        is_slot = is_slot or self.is_slot(start, end)
        if choices and not is_slot and not any(self.on_step(each[0], start) for each in able or choices):
            codes.add("OFF_SLOT_STEP")
        return codes

    def _hours_of(self, place: Place | None) -> tuple[str, str] | None:
        return self.hours if place is None or place.hours is None else place.hours

    def _openings(self, hours: tuple[str, str], around: datetime) -> list[tuple[datetime, datetime]]:
        """The openings that begin on that day and on the day before, in wall time."""
        opens, closes = map(_minutes, hours)
        closes += 24 * 60 if closes <= opens else 0
        midnight = datetime.combine(self.wall(around).date(), time())
        days = (midnight - timedelta(days=1), midnight)
        return [(day + timedelta(minutes=opens), day + timedelta(minutes=closes)) for day in days]


def _hours(document: dict[str, Any]) -> tuple[str, str] | None:
    if "hours" not in document:
        return None
    (rule,) = document["hours"]["weekly"]
    return rule["open"], rule["close"]


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
