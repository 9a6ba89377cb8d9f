"""Simulations hold, and would say so if they did not: each bug planted here must be found."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest

from holdfast.booking import store as bookings
from holdfast.booking.making import create as booking_create
from holdfast.claim import store as claims
from holdfast.claim.model import Claim
from holdfast.kernel.db.tx import Tx
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.simulate import worker
from holdfast.simulate.people.guest import arrivals
from holdfast.simulate.people.wish import wish
from holdfast.simulate.places import RESTAURANT
from holdfast.simulate.report import figures
from holdfast.simulate.run import Simulated
from holdfast.waitlist import queue_store
from tests.databases import new_cluster
from tests.forks import run

from .conftest import Play

SOAK_SEEDS = 20
NOON = datetime(2040, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time does its work every 40 minutes: enough for what is planted to show."""
    monkeypatch.setattr(worker, "TICKS_EVERY", timedelta(minutes=40))
    monkeypatch.setattr(worker, "PROMOTES_EVERY", timedelta(minutes=30))


def complaints(simulated: Simulated) -> str:
    assert not simulated.ok
    return "\n".join(simulated.record.wrong)


@pytest.mark.parametrize("seed", [1])
async def test_all_holds(play: Play, seed: int) -> None:
    simulated = await play(seed)
    assert simulated.ok, simulated.record.wrong
    assert simulated.guests > 50
    assert simulated.record.bookings > 20
    assert simulated.live_events > 10
    assert not simulated.faults


@pytest.mark.parametrize("seed", [3])
async def test_all_holds_with_faults(play: Play, seed: int) -> None:
    simulated = await play(seed, faults=True)
    assert simulated.ok, simulated.record.wrong
    assert {"answer_lost", "asked_twice", "given_up", "connection_killed"} <= simulated.faults.keys()
    assert simulated.record.bookings > 20


def test_guests_want_the_same_for_the_same_seed() -> None:
    assert wishes(1) == wishes(1)
    assert wishes(1) != wishes(2)


def wishes(seed: int) -> list[object]:
    document = parse_document(RESTAURANT)
    ids = {each.slug: UUID(int=place) for place, each in enumerate(document.resources)}
    venue = snapshot(
        document,
        id=UUID(int=1),
        tenant_id=UUID(int=2),
        tenant_slug="north",
        resource_ids=ids,
        rules_version=1,
        version=1,
    )
    random = Random(seed)
    return [(each, wish(random, venue, now=each.at, seed=seed)) for each in arrivals(random, NOON, 200)]


@pytest.mark.usefixtures("seldom")
async def test_claims_that_are_not_freed_are_found(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(_tx: Tx, _owners: Any) -> list[Claim]:
        return []

    monkeypatch.setattr(claims, "free", forgetful)
    simulated = await play(1, guests=30)
    assert not simulated.audit_ok
    assert "The audit found" in complaints(simulated)
    told = figures(simulated)
    assert (told["ok"], told["audit_ok"]) == (False, False)
    assert told["repeat"] == "holdfast simulate --seed 1 --days 1 --guests 30"


@pytest.mark.usefixtures("seldom")
async def test_changes_that_are_not_told_are_found(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_args: Any, **_kwargs: Any) -> None:
        return None

    monkeypatch.setattr(booking_create, "announce", silent)
    simulated = await play(5, guests=60)
    assert simulated.mismatches
    assert "The channel" in complaints(simulated)


@pytest.mark.usefixtures("seldom")
async def test_answers_that_are_not_kept_are_found(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    write = booking_create.create_store.write

    async def keeps_no_replies(tx: Tx, **given: Any) -> None:
        await write(tx, **{**given, "replies": []})

    monkeypatch.setattr(booking_create.create_store, "write", keeps_no_replies)
    seeds = iter(range(3, 23))
    found = ""
    # Where the first answer never came, the booking that nobody was told of is found instead, and ends that simulation.
    while "The same request got two answers" not in found:
        found = "\n".join((await play(next(seeds), faults=True)).record.wrong)


@pytest.mark.usefixtures("seldom")
async def test_steps_that_are_not_written_are_found(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    save = bookings.save

    async def loses_check_ins(tx: Tx, steps: Sequence[Any]) -> None:
        await save(tx, [step for step in steps if step.action != "check_in"])

    monkeypatch.setattr(bookings, "save", loses_check_ins)
    assert "CHECKED_IN" in complaints(await play(1, guests=60))


@pytest.mark.usefixtures("seldom")
async def test_who_jumps_the_queue_is_found(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = queue_store.waiting

    async def last_first(*args: Any, **kwargs: Any) -> list[Any]:
        return list(reversed(await waiting(*args, **kwargs)))

    monkeypatch.setattr(queue_store, "waiting", last_first)
    assert "waiting for" in complaints(await play(1, guests=150))


def holdfast(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run(["simulate", *map(str, arguments)], timeout_s=600, env={**os.environ, "COLUMNS": "100"})


def test_the_command_ends_with_one_json_object(tmp_path: Path) -> None:
    new_cluster(tmp_path / "data")
    asked = ("--seed", 6, "--days", 1, "--guests", 30, "--data-dir", tmp_path / "data", "--json")
    done = holdfast(*asked)
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout.splitlines()[-1])
    expected = {
        "seed": 6,
        "days": 1,
        "ok": True,
        "audit_ok": True,
        "mismatches": 0,
        "wrong": [],
        "faults": {},
    }
    assert {name: told[name] for name in expected} == expected
    assert told["bookings"] > 5
    assert told["actions"] >= told["guests"] // 2
    assert done.stderr.splitlines()[0] == "Seed 6"
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def test_what_can_t_be_played_is_said_at_once(tmp_path: Path) -> None:
    done = holdfast("--days", 0, "--data-dir", tmp_path / "data")
    assert done.returncode == 2
    assert "must be from" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("seed", range(100, 100 + SOAK_SEEDS))
async def test_a_week_holds(play: Play, seed: int) -> None:
    simulated = await play(seed, days=7, faults=seed % 4 != 0, guests=700)
    assert simulated.ok, figures(simulated)
