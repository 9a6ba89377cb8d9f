"""Guests who come again and again: a series, changed or cancelled later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from holdfast.engine import Engine
from holdfast.kernel.idempotency import Done, Reply
from holdfast.place.recurrence import parse
from holdfast.series.cancel import SeriesCancellation, cancel_series
from holdfast.series.change import SeriesChange, change_series, plan_change
from holdfast.series.create import create_series
from holdfast.series.expand import Asked
from holdfast.series.model import OnConflict, Scope, SeriesDone
from holdfast.series.plan import plan_series
from holdfast.simulate.booker import Booker
from holdfast.simulate.process import Process
from holdfast.simulate.record import Answer
from holdfast.simulate.wish import Wish

RULES: Final = (
    "FREQ=DAILY;COUNT=5",
    "FREQ=WEEKLY;COUNT=3",
    "FREQ=DAILY;INTERVAL=2;COUNT=4",
    "FREQ=WEEKLY;BYDAY=MO,TH,SA;COUNT=6",
)


async def repeat(booker: Booker, wanted: Wish) -> None:
    """Makes a series, and maybe changes or cancels some of it."""
    random = booker.random
    asked = Asked(first=booker.wanted(wanted), recurrence=parse(random.choice(RULES)))
    conflict = random.choice(list(OnConflict))
    made = await _create(booker, asked, conflict)
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
        await _cancel(booker, SeriesCancellation(**about))
        return
    size = max(1, wanted.party_size + random.choice((-1, 1)))
    change = SeriesChange(
        **about, party_size=size, on_conflict=random.choice((OnConflict.REFUSE, OnConflict.SKIP))
    )
    await _change(booker, change)


async def _create(booker: Booker, asked: Asked, conflict: OnConflict) -> Answer:
    async def create(engine: Engine, how: dict[str, Any]) -> Done[SeriesDone]:
        more: dict[str, Any] = {"venue": booker.house.venue, "places": engine.places}
        plan = partial(plan_series, asked=asked, on_conflict=conflict, **more)
        return await engine.change_planned(booker.actor, booker.house.venue, plan, create_series, **how)

    return await _ask(booker, "series_create", create)


async def _cancel(booker: Booker, asked: SeriesCancellation) -> Answer:
    async def cancel(engine: Engine, how: dict[str, Any]) -> Done[SeriesDone]:
        return await engine.change_once(booker.actor, booker.house.venue, cancel_series, asked, **how)

    return await _ask(booker, "series_cancel", cancel)


async def _change(booker: Booker, asked: SeriesChange) -> Answer:
    async def change(engine: Engine, how: dict[str, Any]) -> Done[SeriesDone]:
        more: dict[str, Any] = {"venue": booker.house.venue, "places": engine.places}
        plan = partial(plan_change, asked=asked, actor=booker.actor, **more)
        return await engine.change_planned(booker.actor, booker.house.venue, plan, change_series, **how)

    return await _ask(booker, "series_change", change)


async def _ask(
    booker: Booker, operation: str, change: Callable[[Engine, dict[str, Any]], Awaitable[Done[SeriesDone]]]
) -> Answer:
    keyed, record = booker.keyed(operation), booker.world.record

    async def send(process: Process) -> Reply:
        how: dict[str, Any] = {"key": keyed, "show": lambda done, _: done.as_json()}
        return (await change(process.engine, how)).reply

    answer = await booker.world.asking.ask(send)
    record.answered(operation, answer, booker.actor)
    if answer.is_done:
        record.series[UUID(answer.body["id"])] = answer.body["version"]
        touched = set(answer.body.get("changed", ())) or {
            each["occurrence_on"] for each in answer.body["bookings"]
        }
        record.stepped(each for each in answer.body["bookings"] if each["occurrence_on"] in touched)
        if operation == "series_create":
            record.bookings += len(answer.body["bookings"])
    return answer
