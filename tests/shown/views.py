"""What the views show, in one value."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from holdfast.booking.finding.availability import days_with_room, free_starts
from holdfast.booking.finding.scan import Start
from holdfast.booking.finding.search import Found
from holdfast.booking.wanted import When
from holdfast.place.opening.stay import nights_of

from .world import World

Shown = dict[tuple[Any, str | None], tuple[Start, Found, date]]


async def shown_in(world: World, asked: dict[str, Any]) -> Shown:
    """What the day view shows for these days and those around them. The month view shows the same days."""
    found, with_some = Shown(), list[date]()
    days = [world.days[0] + timedelta(days=n) for n in range(-2, len(world.days) + 2)]
    for day in days:
        starts = await free_starts(world.tx, world.venue, day=day, **asked)
        found |= {(start.span, start.slot_id): (start, free, day) for start, free in starts}
        with_some += [day] if starts else []

    async def read(verb: Any, *args: Any, **more: Any) -> Any:
        return await verb(world.tx, *args, **more)

    month = await days_with_room(read, world.venue, days=days, **asked)
    assert month == with_some, f"{world.said} {asked}"
    return found


def when_of(world: World, start: Start, day: date, minutes: int | None) -> When:
    """The time of a start that the day view shows, as whoever books it says it."""
    if world.venue.stay is not None:
        return When(arrival=day, nights=nights_of(world.venue.stay, start.span, world.venue.tz).count)
    if start.slot_id is not None:
        return When(day=day, slot_id=start.slot_id)
    return When(start=start.span.start, duration_minutes=minutes)
