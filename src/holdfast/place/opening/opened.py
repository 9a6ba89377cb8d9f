"""Which sets of resources a booking can have at a time: those that are open, on their own slot steps. Pure.

Resources may have hours of their own, beyond those of the venue: a terrace that serves breakfast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from holdfast.kernel.span import Span
from holdfast.place.opening import hours, slot
from holdfast.place.opening.spans import Hours
from holdfast.place.venue import Resource, Venue

Resources = Sequence[Resource]
Sets = Sequence[tuple[Resource, ...]]


def choices(venue: Venue, sets: Sets) -> Sets:
    """Returns one of the sets for all that are open at the same times and have the same step. An empty set stands for
    the venue, whose hours and step are those of all sets where no resource has hours of its own."""
    if not venue.has_own_hours:
        return ((),)
    found: dict[object, tuple[Resource, ...]] = {}
    for each in sets:
        found.setdefault((step_hours(each), frozenset(hours_of(each))), each)
    return tuple(found.values()) or ((),)


def hours_of(resources: Resources) -> Iterator[Hours | None]:
    """Yields the hours that all have to be open for a booking of these resources; None for the venue's."""
    if not resources:
        yield None
    for resource in resources:
        for each in resource.must_open:
            yield each.hours


def step_hours(resources: Resources) -> Hours | None:
    """Returns the hours that the step is counted from: the first resource's own, or None for the venue's."""
    return resources[0].hours if resources else None


def is_open(venue: Venue, resources: Resources, span: Span) -> bool:
    """Returns whether all of the resources are open for the whole span."""
    return all(hours.is_open(venue, own, span.start, span.end) for own in hours_of(resources))


def is_on_step(venue: Venue, resources: Resources, span: Span) -> bool:
    """Returns whether a booking of these resources may start then: on their step, or as long as a slot, with it."""
    own = step_hours(resources)
    if hours.aligned(venue, own, span.start):
        return True
    days = {hours.opening_day(venue, each, span.start) for each in (own, None)}
    return any(each.span == span for day in days for each in slot.windows_on(venue, day))


def opened(venue: Venue, sets: Sets, span: Span, *, any_start: bool) -> Sets:
    """Returns those of the sets that are open for the span and may start then. `any_start`: the step does not matter,
    as for slots and walk-ins."""
    if not venue.has_own_hours:
        return sets
    known: dict[object, bool] = {}
    return [each for each in sets if _can_start(venue, each, span, known, any_start=any_start)]


def _can_start(
    venue: Venue, resources: Resources, span: Span, known: dict[object, bool], *, any_start: bool
) -> bool:
    key = step_hours(resources), frozenset(hours_of(resources))
    if key not in known:
        known[key] = is_open(venue, resources, span) and (any_start or is_on_step(venue, resources, span))
    return known[key]


def starts_of_day(venue: Venue, sets: Sets, day: date, *, duration_minutes: int) -> Sequence[datetime]:
    """Returns the starts of an opening day on the step of any of the sets, in order. Other resources of such a set may
    be closed then."""
    steps = dict.fromkeys(step_hours(each) for each in choices(venue, sets))
    found = [hours.starts_of_day(venue, own, day, duration_minutes=duration_minutes) for own in steps]
    return found[0] if len(found) == 1 else sorted({start for each in found for start in each})
