"""Bookings that are more than a stricter rule of fair use allows are listed, and stay as they are."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from time import process_time
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from holdfast.booking.fitting import no_longer_fit
from holdfast.booking.fitting.quotas import Quotas
from holdfast.booking.fitting.standing import Standing
from holdfast.booking.making.usage_store import FOR_EVER
from holdfast.booking.rules.fair_use import CountedBooking, Subject, Usage, quotas_of
from holdfast.booking.said import Asker
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from tests.conftest import House

from .asking import at, cancel, instant, move
from .callers import FLOOR, LONG, SHORT, Guest, ahead
from .changing import bookings, unfit
from .test_fair_use_counted import Made, fits, random_rules, subjects

CODE = "QUOTA_EXCEEDED"
SECOND, HOURS = timedelta(seconds=1), timedelta(hours=6)


async def stricter(house: House, *rules: dict[str, Any], **more: Any) -> set[str]:
    """The references of the bookings that no longer fit with these rules, all for that reason."""
    found = await unfit(house, policy={**house.document["policy"], "fair_use": [*rules]}, **more)
    house.document = {**house.document, "policy": {**house.document["policy"], "fair_use": [*rules]}}
    assert {*found.values()} <= {CODE}
    return {*found}


async def test_all_of_a_guest_who_has_too_many_are_listed(bound: Any) -> None:
    house, guest = await bound()
    mine = [await guest("gina").booked(start=at(clock)) for clock in ("12:00", "15:00", "18:00")]
    await guest("nina").booked(start=at("12:00"))
    await house.booked(start=at("12:00"))  # for nobody in particular
    assert (await cancel(house, mine.pop(), guest("gina").headers)).status_code == 200
    rule = {"per": "guest", "open_bookings_max": 2}
    assert await stricter(house, rule) == set()
    references = {each["booking_reference"] for each in mine}
    assert await stricter(house, {**rule, "open_bookings_max": 1}) == references
    # They were too many before this change already, and another rule of the venue is another change.
    assert await stricter(house, {**rule, "open_bookings_max": 1}, name="Another") == set()
    assert await stricter(house) == set()


async def test_each_bound_lists_those_who_exceed_it(bound: Any) -> None:
    house, guest = await bound()
    gina = guest("gina")
    one, two = [await gina.booked(start=at(clock), **LONG) for clock in ("12:00", "13:00")]
    apart = await gina.booked(start=at("18:00"), **SHORT)
    later = await gina.booked(start=at("12:00", 21), **SHORT)
    names = [each["booking_reference"] for each in (one, two, apart, later)]
    assert await stricter(house, {"per": "guest", "at_once_max": 1}) == {*names[:2]}
    assert await stricter(house, {"per": "guest", "hours_per_week_max": 4.5}) == {*names[:3]}
    assert await stricter(house, {"per": "guest", "hours_per_week_max": 5}) == set()
    assert await stricter(house, {"per": "guest", "days_ahead_max": ahead() + 20}) == {names[3]}
    assert await stricter(house, {"per": "guest", "days_ahead_max": ahead() + 21}) == set()


async def test_members_are_judged_by_their_rule(bound: Any) -> None:
    """As far as a rule named their group when they booked; what staff book is judged by the rule for all."""
    members = {"per": "guest", "groups": ["members"], "open_bookings_max": 3}
    house, guest = await bound(members, {"per": "guest", "open_bookings_max": 3})
    nina, gina = guest("nina", groups=("members",)), guest("gina")
    for clock in ("12:00", "15:00"):
        await nina.booked(start=at(clock))
    hers = {(await gina.booked(start=at(clock)))["booking_reference"] for clock in ("12:00", "15:00")}
    for_mona = [await house.booked(start=at(clock), guest_id="mona") for clock in ("12:00", "15:00")]
    found = await stricter(house, members, {"per": "guest", "open_bookings_max": 1})
    assert found == hers | {each["booking_reference"] for each in for_mona}


async def test_addresses_and_groups_are_counted_together(bound: Any) -> None:
    rules = [{"per": "group", "groups": ["juniors"], "open_bookings_max": 9}]
    house, guest = await bound(*rules, {"per": "address", "open_bookings_max": 9})
    juniors = [
        await guest(name, groups=("juniors",), address=f"203.0.113.{number}").booked(start=at("12:00"))
        for number, name in enumerate(("gina", "nina"), start=1)
    ]
    here = [await guest(address="203.0.113.9").booked(start=at("12:00")) for _ in range(2)]
    stricter_rules = [{**rules[0], "open_bookings_max": 1}, {"per": "address", "open_bookings_max": 1}]
    found = await stricter(house, *stricter_rules)
    assert found == {each["booking_reference"] for each in (*juniors, *here)}


async def test_an_order_counts_its_things_and_walk_ins_are_not_listed(open_house: Any, app: FastAPI) -> None:
    house: House = await open_house(resources=[FLOOR], policy={"fair_use": []}, hours={"weekly": []})
    gina = Guest(app, house, "gina")
    walk_in = {"venue_id": house.venue_id, "party_size": 2, "guest_id": "gina"}
    seated = await house.client.post("/walk-ins", json=walk_in, headers=house.bob)
    assert seated.status_code == 201, seated.text
    body = {"venue_id": house.venue_id, "items": [{"party_size": 2}] * 2, "start": at("12:00")}
    order = (await gina.ask("POST", "/bookings", json=body)).json()
    assert await stricter(house, {"per": "guest", "open_bookings_max": 3}) == set()
    assert await stricter(house, {"per": "guest", "open_bookings_max": 2}) == {order["booking_reference"]}


async def test_hours_of_visits_that_are_over_count_in_their_week(open_house: Any, app: FastAPI) -> None:
    house: House = await open_house(resources=[FLOOR], policy={"fair_use": []})
    gina = Guest(app, house, "gina")
    gone, coming = [await gina.booked(start=at(clock), **LONG) for clock in ("12:00", "15:00")]
    assert (await move(house, gone, "CHECKED_IN")).status_code == 200
    gone = {**gone, "version": 2}
    assert (await move(house, gone, "COMPLETED")).status_code == 200
    assert await stricter(house, {"per": "guest", "open_bookings_max": 1}) == set()
    assert await stricter(house, {"per": "guest", "hours_per_week_max": 3}) == {coming["booking_reference"]}


async def test_many_at_once_are_counted_in_one_go(bound: Any, app: FastAPI) -> None:
    """Those of a whole club night: compared with one another, they would hold up the process for seconds."""
    rule = {"per": "guest", "at_once_max": 4999}
    house, _ = await bound(rule)
    after = await app.state.engine.places.venue(UUID(house.venue_id))
    before = replace(after, policy=after.policy.model_copy(update={"fair_use": ()}))
    start = instant("12:00")
    spans = {new_id(): Span(start + n * SECOND, start + n * SECOND + HOURS) for n in range(5000)}
    usage = Usage(
        {(after.id, Subject("guest", "gina")): {id_: _counted(each) for id_, each in spans.items()}}
    )
    quotas, began = Quotas(before, after), process_time()
    page = [_standing(id_, each) for id_, each in spans.items()]
    [quota] = quotas_of(after, Asker(guest_id="gina"))
    assert [*quotas.unknown(page[:1])] == [(after, quota, Span(start, FOR_EVER))]
    quotas.learn(usage, start)
    found = [quotas.newly_over(each) for each in page]
    assert process_time() - began < 1
    assert [*quotas.unknown(page)] == []  # what was read serves all pages
    assert {each.detail() for each in found if each is not None} == {
        "This guest has 5000 bookings here at that time, and may have 4999 at once."
    }
    assert None not in found


def _counted(span: Span) -> CountedBooking:
    return CountedBooking(span, True, span.end)


def _standing(id_: UUID, span: Span) -> Standing:
    start = span.start.replace(tzinfo=None)
    return Standing(id_, "BR", span, start, "UTC", None, 2, (), "web", True, False, guest_id="gina")


@pytest.mark.parametrize("seed", range(4))
async def test_those_are_listed_that_a_plain_count_refuses(
    open_house: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each booking is asked for again beside the others, by the rules before and by those after. They come on several
    pages."""
    monkeypatch.setattr(no_longer_fit, "READ_AT_ONCE", 3)
    dice = random.Random(seed)
    after = random_rules(dice)
    groups = [{"per": "group", "groups": ["a", "b"], "open_bookings_max": 999}]  # what is stored of whom
    addresses = [{"per": "address", "open_bookings_max": 999}]
    before = [*groups, *addresses]
    house: House = await open_house(resources=[FLOOR], policy={"fair_use": before})
    guests = [
        Guest(app, house, subject, f"203.0.113.{address}", of)
        for subject, of in ((None, ()), ("gina", ("a",)), ("nina", ("a", "b")))
        for address in (1, 2)
    ]
    made: list[tuple[Guest, Made]] = []
    for _ in range(12):
        guest, minutes = dice.choice(guests), dice.choice([60, 90, 120])
        clock, days = dice.choice(["12:00", "13:00", "14:30"]), dice.randint(-1, 8)
        booking = await guest.booked(start=at(clock, days), duration_minutes=minutes)
        made.append(
            (guest, Made(subjects(guest), datetime.fromisoformat(booking["start"]), minutes, booking))
        )
    expected = {
        each.booking["booking_reference"]
        for guest, each in made
        if not fits(after, guest, each.start, each.minutes, [other for _, other in made if other is not each])
    }
    assert await stricter(house, *after) == expected, f"seed {seed}: {after}"
    assert len(await bookings(house)) == len(made)
