"""Guests who book a series, and may change or cancel it later."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from holdfast.kernel.db.idempotency import Keyed
from holdfast.place.opening.recurrence import parse
from holdfast.place.venue import Venue
from holdfast.series.change import SeriesCancellation, SeriesChange, cancel_series, change_series, plan_change
from holdfast.series.create import create_series
from holdfast.series.expand import SeriesWanted
from holdfast.series.model import OnConflict, Scope, SeriesDone
from holdfast.series.plan import plan_series
from holdfast.simulate.people.asking import Send
from holdfast.simulate.people.booker import Booker
from holdfast.simulate.people.wish import Intention
from holdfast.simulate.record import Answer

RULES: Final = (
    "FREQ=DAILY;COUNT=5",
    "FREQ=WEEKLY;COUNT=3",
    "FREQ=DAILY;INTERVAL=2;COUNT=4",
    "FREQ=WEEKLY;BYDAY=MO,TH,SA;COUNT=6",
)


async def repeat(booker: Booker, wanted: Intention) -> None:
    """Creates a series, and may change or cancel part of it. Each stay is booked on its own."""
    if booker.house.venue.stay is not None:
        return
    random = booker.random
    asked = SeriesWanted(first=booker.wanted(wanted), recurrence=parse(random.choice(RULES)))
    conflict = random.choice(list(OnConflict))
    key = booker.keyed("series_create")
    plan = partial(plan_series, asked=asked, on_conflict=conflict)
    made = await _ask(booker, key, booker.planned(plan, create_series, key=key, show=_shown))
    if made.is_done:
        booker.world.record.bookings += len(made.body["bookings"])
    if not made.is_done or random.random() < 0.4:
        return
    await booker.world.clock.sleep(timedelta(minutes=random.randrange(5, 3 * 1440)))
    scope = random.choice(list(Scope))
    on = date.fromisoformat(random.choice(made.body["bookings"])["occurrence_on"])
    about: dict[str, Any] = {
        "series_id": UUID(made.body["id"]),
        "expected_version": made.body["version"],
        "scope": scope,
        "occurrence_on": None if scope is Scope.ALL else on,
    }
    if random.random() < 0.5:
        key, cancellation = booker.keyed("series_cancel"), SeriesCancellation(**about)
        await _ask(booker, key, booker.once(cancel_series, cancellation, key=key, show=_shown))
        return
    size = max(1, wanted.party_size + random.choice((-1, 1)))
    change = SeriesChange(
        **about, party_size=size, on_conflict=random.choice((OnConflict.REFUSE, OnConflict.SKIP))
    )
    key, plan = booker.keyed("series_change"), partial(plan_change, asked=change, actor=booker.actor)
    await _ask(booker, key, booker.planned(plan, change_series, key=key, show=_shown))


def _shown(done: SeriesDone, _venue: Venue) -> dict[str, Any]:
    return done.as_json()


async def _ask(booker: Booker, key: Keyed, send: Send) -> Answer:
    answer, record = await booker.ask(key.operation, send), booker.world.record
    if answer.is_done:
        record.series[UUID(answer.body["id"])] = answer.body["version"]
        touched = set(answer.body.get("changed", ())) or {
            each["occurrence_on"] for each in answer.body["bookings"]
        }
        record.stepped(each for each in answer.body["bookings"] if each["occurrence_on"] in touched)
    return answer
