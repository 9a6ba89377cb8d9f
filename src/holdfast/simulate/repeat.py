"""Guests who come again and again: a series, changed or cancelled later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from holdfast.kernel.idempotency import Done, Reply
from holdfast.place.recurrence import parse
from holdfast.series.cancel import SeriesCancellation, cancel_series
from holdfast.series.change import SeriesChange, change_series
from holdfast.series.create import create_series
from holdfast.series.model import OnConflict, Scope, SeriesDone
from holdfast.series.plan import Asked
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
    made = await _ask(booker, "series_create", create_series, asked, on_conflict=conflict)
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
        await _ask(booker, "series_cancel", cancel_series, SeriesCancellation(**about))
        return
    size = max(1, wanted.party_size + random.choice((-1, 1)))
    change = SeriesChange(
        **about, party_size=size, on_conflict=random.choice((OnConflict.REFUSE, OnConflict.SKIP))
    )
    await _ask(booker, "series_change", change_series, change)


async def _ask(
    booker: Booker, operation: str, verb: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
) -> Answer:
    keyed, record = booker.keyed(operation), booker.world.record

    async def send(process: Process) -> Reply:
        more = {"places": process.engine.places, **kwargs} if verb is create_series else kwargs
        done: Done[SeriesDone] = await process.engine.change_once(
            booker.actor,
            booker.house.venue,
            verb,
            *args,
            key=keyed,
            show=lambda done, _: done.as_json(),
            **more,
        )
        return done.reply

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
