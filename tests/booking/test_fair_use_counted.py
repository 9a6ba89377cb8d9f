"""Fair use refuses what counting every booking for every rule refuses: at random rules, by random requests."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from .asking import DAY, STOCKHOLM, at, cancel
from .callers import FLOOR, Guest

PERS = ("guest", "group", "address")


@dataclass
class Made:
    """A booking, and what it counts for."""

    subjects: set[tuple[str, str]]
    start: datetime
    minutes: int
    booking: dict[str, Any]

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


def random_rules(dice: random.Random) -> list[dict[str, Any]]:
    bounds = {
        "open_bookings_max": lambda: dice.randint(2, 6),
        "hours_per_week_max": lambda: dice.choice([3, 4.5, 6]),
        "days_ahead_max": lambda: (DAY - datetime.now(STOCKHOLM).date()).days + dice.randint(1, 9),
        "at_once_max": lambda: dice.randint(1, 2),
    }
    rules = []
    for per in dice.choices(PERS, k=5):
        rule: dict[str, Any] = {"per": per}
        if per == "group" or dice.random() < 0.4:
            rule["groups"] = dice.sample(["a", "b"], dice.randint(1, 2))
        rules.append(rule | {name: bounds[name]() for name in dice.sample(sorted(bounds), 2)})
    return rules


def subjects(guest: Guest) -> set[tuple[str, str]]:
    found = {("address", guest.address), *(("group", each) for each in guest.groups)}
    return found | ({("guest", guest.subject)} if guest.subject else set())


def fits(rules: list[dict[str, Any]], guest: Guest, start: datetime, minutes: int, made: list[Made]) -> bool:
    for subject in subjects(guest):
        matching = [
            each
            for each in rules
            if each["per"] == subject[0] and ("groups" not in each or {*each["groups"]} & {*guest.groups})
        ]
        if not matching or (subject[0] == "group" and subject[1] not in matching[0]["groups"]):
            continue
        rule, own = matching[0], [each for each in made if subject in each.subjects]
        week = [each for each in own if each.start.isocalendar()[:2] == start.isocalendar()[:2]]
        hours = (sum(each.minutes for each in week) + minutes) / 60
        new = Made(set(), start, minutes, {})
        moments = [start, *(each.start for each in own if start <= each.start < new.end)]
        crowd = max(sum(each.start <= moment < each.end for each in (*own, new)) for moment in moments)
        ahead = (start.date() - datetime.now(STOCKHOLM).date()).days
        if (
            len(own) + 1 > rule.get("open_bookings_max", 999)
            or hours > rule.get("hours_per_week_max", 999)
            or ahead > rule.get("days_ahead_max", 999)
            or crowd > rule.get("at_once_max", 999)
        ):
            return False
    return True


@pytest.mark.parametrize("seed", range(4))
async def test_a_plain_count_of_fair_use_says_the_same(open_house: Any, app: FastAPI, seed: int) -> None:
    dice = random.Random(seed)
    rules = random_rules(dice)
    house = await open_house(resources=[FLOOR], policy={"fair_use": rules})
    guests = [
        Guest(app, house, subject, f"203.0.113.{address}", groups)
        for subject, groups in ((None, ()), ("gina", ("a",)), ("nina", ("a", "b")), ("mona", ()))
        for address in (1, 2)
    ]
    made: list[Made] = []
    outcomes = set[int]()
    for _ in range(40):
        guest, minutes = dice.choice(guests), dice.choice([60, 90, 120])
        clock, days = dice.choice(["12:00", "13:00", "14:30", "20:00"]), dice.randint(-4, 8)
        start = datetime.fromisoformat(at(clock, days))
        may = fits(rules, guest, start, minutes, made)
        response = await guest.book(start=at(clock, days), duration_minutes=minutes)
        assert response.status_code == (201 if may else 429), (seed, rules, guest.subject, response.text)
        outcomes.add(response.status_code)
        if may:
            made.append(Made(subjects(guest), start, minutes, response.json()))
        if made and dice.random() < 0.25:
            gone = made.pop(dice.randrange(len(made)))
            assert (await cancel(house, gone.booking)).status_code == 200
    assert outcomes == {201, 429}, f"seed {seed}"


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_shown_is_within_fair_use(open_house: Any, app: FastAPI, seed: int) -> None:
    """The day view, the check and booking agree, for each guest."""
    dice = random.Random(100 + seed)
    policy = {"fair_use": random_rules(dice), "slot_step_minutes": 60}
    house = await open_house(resources=[FLOOR], policy=policy)
    guests = [
        Guest(app, house, None),
        Guest(app, house, "gina", groups=("a",)),
        Guest(app, house, "nina", groups=("b",)),
    ]
    for _ in range(15):
        await dice.choice(guests).book(start=at(f"{dice.randint(10, 20)}:00", dice.randint(-2, 4)))
    for guest in guests:
        day: date = DAY + timedelta(days=dice.randint(0, 2))
        shown = await guest.day(str(day))
        starts = {each["start"] for each in shown["starts"]}
        for hour in range(10, 22):
            start = at(f"{hour}:00", (day - DAY).days)
            found = await guest.check(start=start)
            assert found.is_success == (start in starts), (seed, policy, found.text)
        assert starts or shown["reason"] == "QUOTA_EXCEEDED", f"seed {seed}"
