"""What a guest wants, chosen at random. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Final, TypeVar
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.booking.wanted import When
from holdfast.place.opening.hours import starts_of_day, to_wall
from holdfast.place.opening.slot import slots_on
from holdfast.place.opening.stay import check_in_on, minutes_of_nights
from holdfast.place.venue import Venue

T = TypeVar("T")
Extras = tuple[tuple[str, int | None], ...]

LEAD_DAYS_MEAN: Final = 1.5
LEAD_DAYS_MAX: Final = 12
NIGHTS_MAX: Final = 4
SALE_SHARE: Final = 0.6
"""Of those who could take extras, and of those who could use a code."""
SLOT_SHARE: Final = 0.6
"""Where guests can book other times too."""


@dataclass(frozen=True, slots=True)
class Intention:
    """A booking that somebody wants; `earliest`: its start, as far as known. `minutes`: its length, if it is asked for.
    `extras`, `discount_code`: what they take beside the place."""

    when: When
    earliest: datetime
    party_size: int
    resource_ids: tuple[UUID, ...]
    preferences: Preferences
    minutes: int | None = None
    extras: Extras = ()
    discount_code: str | None = None


def zipf(random: Random, of: Sequence[T]) -> T:
    """Returns one element by Zipf's law: the first is twice as likely as the second, and so on."""
    return random.choices(of, cum_weights=_weights(len(of)))[0]


@lru_cache(maxsize=1024)
def _weights(count: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


@lru_cache(maxsize=1024)
def _order(seed: int, name: str, count: int) -> list[int]:
    """Returns the indexes of a list by popularity: a different order for each venue and seed."""
    return Random(f"{seed} hot {name}").sample(range(count), count)


def hot(random: Random, of: Sequence[T], *, seed: int, name: str) -> T:
    """Returns one element by popularity: some are wanted far more than others."""
    return of[zipf(random, _order(seed, name, len(of)))]


def wish(random: Random, venue: Venue, *, now: datetime, seed: int) -> Intention | None:
    """Returns a visit to the venue from `now` on; None if the chosen day has nothing left."""
    lead = min(int(random.expovariate(1 / LEAD_DAYS_MEAN)), LEAD_DAYS_MAX)
    day = to_wall(now, venue.tz).date() + timedelta(days=lead)
    size = _party_size(random, venue)
    found = _time(random, venue, day, size, now=now, seed=seed)
    if found is None:
        return None
    when, earliest = found
    resource_ids, preferences = _where(random, venue, size, seed=seed)
    extras, code = sale(random, venue)
    minutes = minutes_of_nights(venue.stay, when.nights or 1) if venue.stay else when.duration_minutes
    return Intention(when, earliest, size, resource_ids, preferences, minutes, extras, code)


def sale(random: Random, venue: Venue) -> tuple[Extras, str | None]:
    """Returns extras and a discount code to ask for; nothing where none are sold."""
    extras: Extras = ()
    if venue.policy.extras and random.random() < SALE_SHARE:
        chosen = random.sample(venue.policy.extras, random.randint(1, len(venue.policy.extras)))
        extras = tuple((each.id, random.choice((None, 1, 2, 3))) for each in chosen)
    code = None
    if venue.policy.discounts and random.random() < SALE_SHARE:
        code = random.choice(venue.policy.discounts).code
    return extras, code


def _time(
    random: Random, venue: Venue, day: date, size: int, *, now: datetime, seed: int
) -> tuple[When, datetime] | None:
    if venue.stay is not None:
        return _nights(random, venue, day)
    slots_only = venue.policy.starts == "slots"
    chosen = (
        _slot(random, venue, day) if venue.slots and (slots_only or random.random() < SLOT_SHARE) else None
    )
    return chosen or _start(random, venue, day, size, now=now, seed=seed)


def _nights(random: Random, venue: Venue, day: date) -> tuple[When, datetime]:
    assert venue.stay is not None
    nights = min(1 + int(random.expovariate(0.7)), NIGHTS_MAX)
    return When(arrival=day, nights=nights), check_in_on(venue.stay, day, venue.tz)


def _slot(random: Random, venue: Venue, day: date) -> tuple[When, datetime] | None:
    slots = slots_on(venue, day)
    if not slots:
        return None
    slot = zipf(random, slots)
    return When(day=day, slot_id=slot.id), slot.span.start


def _start(
    random: Random, venue: Venue, day: date, size: int, *, now: datetime, seed: int
) -> tuple[When, datetime] | None:
    minutes = usual_minutes(venue.policy, size)
    starts = starts_of_day(venue, None, day, duration_minutes=minutes)
    if not starts:
        return None
    start = hot(random, starts, seed=seed, name=venue.slug)
    if start < now and random.random() < 0.9:
        later = [each for each in starts if each > now]
        if not later:
            return None
        start = later[0]
    asked = random.choice((None, None, minutes // 2 // 15 * 15 or 30, minutes + 30))
    return When(start=start, duration_minutes=asked), start


def _party_size(random: Random, venue: Venue) -> int:
    largest = max(resource.seats_max for resource in venue.resources.values())
    return min(1 + int(random.expovariate(0.6)), largest + 2)


def _where(random: Random, venue: Venue, size: int, *, seed: int) -> tuple[tuple[UUID, ...], Preferences]:
    """Returns named resources, or a type, or preferences, or none of them, which means the best fit."""
    roll = random.random()
    types = sorted({each.group for each in venue.resources.values() if each.group})
    if types and roll < 0.75:
        return (), Preferences(group=zipf(random, types))
    resources = sorted(venue.resources.values(), key=lambda each: each.order)
    wholes = [each for each in resources if each.leaves]
    if wholes and roll < 0.2:
        return (random.choice(wholes).id,), ANYTHING
    if roll < 0.3:
        fitting = [each for each in resources if each.seats_max >= size] or resources
        first = hot(random, fitting, seed=seed, name=f"{venue.slug} resources")
        joined = sorted(venue.joins.get(first.id, {}))
        if joined and random.random() < 0.25:
            return (first.id, random.choice(joined)), ANYTHING
        return (first.id,), ANYTHING
    zones = sorted({each.zone for each in resources if each.zone})
    if zones and roll < 0.45:
        return (), Preferences(zones=(random.choice(zones),))
    return (), ANYTHING
