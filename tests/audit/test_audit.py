"""The audit passes a sound database, also under load, and each of its checks finds what it is there for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest

from holdfast.audit.check import Check
from holdfast.audit.run import CHECKS, SHOWN_MAX, Report, audit, audit_here
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import Overloaded
from holdfast.main.process.worker import run_loops, tick_loops
from holdfast.main.ticks import TICKS
from tests.audit.bookings import at, open_house
from tests.audit.conftest import serving
from tests.audit.harm import HARMS, Harm
from tests.conftest import House
from tests.engines import connect, engine_over
from tests.processes import PATIENT_S

NAMES = [check.name for check in CHECKS]


def failed(report: Report) -> list[str]:
    return [each.check.name for each in report.failed]


@pytest.fixture(scope="module")
async def db(sound: str) -> AsyncIterator[Database]:
    """The sound database as the application sees it."""
    database = await connect(sound)
    yield database
    await database.close()


async def test_a_sound_database_with_every_kind_of_booking_passes(
    db: Database, superuser: asyncpg.Connection
) -> None:
    statuses = {row[0] for row in await superuser.fetch("SELECT DISTINCT status FROM booking")}
    assert statuses >= {
        "HELD", "PENDING", "PENDING_APPROVAL", "RESERVED", "CONFIRMED", "CHECKED_IN", "COMPLETED",
        "CANCELLED", "NO_SHOW", "EXPIRED",
    }  # fmt: skip
    seen: list[str] = []
    report = await audit(db, starts=seen.append)
    assert report.as_json() == {
        "ok": True,
        "checks": [{"name": name, "ok": True, "violations": [], "count": 0} for name in NAMES],
    }
    assert seen == NAMES


async def test_an_empty_database_passes(harmed: asyncpg.Connection) -> None:
    await harmed.execute(
        "TRUNCATE tenant, venue, resource, resource_join, booking, claim, claim_archive, booking_history,"
        " idempotency, event, event_log, event_new CASCADE"
    )
    assert (await audit_here(harmed)).ok


def test_every_check_has_its_harm_and_every_name_is_one_checks() -> None:
    assert Counter(NAMES).most_common(1)[0][1] == 1
    assert {harm.check for harm in HARMS} == set(NAMES)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: f"{harm.check}: {harm.what}")
async def test_a_check_finds_its_harm_and_names_the_row(harmed: asyncpg.Connection, harm: Harm) -> None:
    if harm.without:
        await harmed.execute(harm.without)
    named = await harmed.fetchval(harm.sql)
    assert named is not None, "the harm was not done"
    if harm.then:
        await harmed.execute(harm.then)
    report = await audit_here(harmed)
    assert set(failed(report)) == {harm.check, *harm.also}
    shown = [each.violations for each in report.failed if each.check.name == harm.check]
    assert str(named) in orjson.dumps(shown).decode()


async def test_only_some_are_shown_and_all_are_counted(harmed: asyncpg.Connection) -> None:
    await harmed.execute(
        """
        INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
        SELECT tenant_id, id, 1, tstzrange(day, day + '1 hour'), 'booking', gen_random_uuid()
          FROM (SELECT tenant_id, id FROM resource LIMIT 1) AS one,
               generate_series('2090-01-01'::timestamptz, '2090-12-31', '1 day') AS day
        """
    )
    [found] = (await audit_here(harmed)).failed
    assert (found.check.name, found.count, len(found.violations)) == ("claims_have_an_owner", 365, SHOWN_MAX)


async def test_what_can_not_be_read_is_a_violation_and_the_other_checks_go_on(
    harmed: asyncpg.Connection,
) -> None:
    await harmed.execute("UPDATE idempotency SET body = '{' WHERE key = 'key of plain'")
    await harmed.execute("UPDATE booking SET timezone = 'Mars/Phobos' WHERE special_requests = 'lane'")
    report = await audit_here(harmed)
    assert set(failed(report)) == {
        "wall_times_agree_with_instants",
        "acknowledged_bookings_exist",
        "acknowledged_changes_are_kept",
        "replies_tell_of_their_booking",
    }
    assert "Mars/Phobos" in report.failed[0].violations[0]["error"]
    assert len(report.results) == len(CHECKS)


async def test_what_is_past_may_lie_on_a_unit_that_is_gone(harmed: asyncpg.Connection) -> None:
    await harmed.execute(
        """
        WITH past AS (
            UPDATE claim SET during = tstzrange('2020-01-01', '2020-01-02') FROM booking
             WHERE booking.id = owner_id AND special_requests = 'neighbour' RETURNING resource_id)
        UPDATE resource SET units = 1, version = 2 FROM past WHERE id = past.resource_id
        """
    )
    assert "claims_are_on_units_that_exist" not in failed(await audit_here(harmed))


async def test_under_rules_that_were_changed_a_booking_may_be_due_as_before(
    harmed: asyncpg.Connection,
) -> None:
    await harmed.execute(
        """
        UPDATE booking SET due_at = due_at + interval '1 day' WHERE special_requests = 'plain';
        UPDATE booking SET due_at = NULL WHERE special_requests IN ('lane', 'seated')
        """
    )
    assert failed(await audit_here(harmed)) == ["bookings_are_due_when_their_status_says"]
    await harmed.execute("UPDATE venue SET version = 2")
    assert (await audit_here(harmed)).ok


AS_AUDITOR = "SET LOCAL SESSION AUTHORIZATION auditor; SET LOCAL ROLE holdfast_app"
AS_SUPERUSER = "SET LOCAL ROLE none; SET LOCAL SESSION AUTHORIZATION DEFAULT"


async def test_a_user_who_owns_nothing_finds_the_same(harmed: asyncpg.Connection) -> None:
    """Under row-level security, as where the application's user is not a superuser."""
    await harmed.execute(f"CREATE ROLE auditor IN ROLE holdfast_app; {AS_AUDITOR}")
    assert (await audit_here(harmed)).ok
    assert await harmed.fetchval("SELECT row_security_active('booking')")
    await harmed.execute(AS_SUPERUSER)
    sql = "DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'plain'"
    assert await harmed.execute(sql) == "DELETE 1"
    await harmed.execute(AS_AUDITOR)
    assert failed(await audit_here(harmed)) == ["bookings_hold_what_was_booked"]
    assert await harmed.fetchval("SELECT row_security_active('booking')")


async def test_it_can_not_write(db: Database) -> None:
    writing = Check("writes", "It writes.", "SELECT nextval('event_new_seq_seq') AS value")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await audit(db, checks=[writing])
    # The connection is as it was before.
    assert (
        await db.pool.fetchval("SELECT current_user || current_setting('holdfast.tenants')") == "holdfast_app"
    )


async def test_a_database_that_can_not_be_reached_is_said_so() -> None:
    db = await connect("postgresql://nobody@127.0.0.1:1/nothing")
    try:
        with pytest.raises(Overloaded, match="can't be audited right now"):
            await audit(db)
    finally:
        await db.close()


AUDITS_UNDER_LOAD = 4


class Answers:
    """What was answered so far, and a way to wait for more."""

    def __init__(self) -> None:
        self.by_status, self._one = Counter[int](), asyncio.Event()

    def came(self, response: httpx.Response) -> None:
        self.by_status[response.status_code] += 1
        self._one.set()

    async def more(self, count: int) -> None:
        until = self.by_status.total() + count
        while self.by_status.total() < until:
            self._one.clear()
            await asyncio.wait_for(self._one.wait(), PATIENT_S)


async def test_a_database_that_is_written_to_meanwhile_passes(
    copy: str, data_dir: Path, issuer: DevIssuer
) -> None:
    """Creations, changes, cancellations, holds and ticks go on; every audit sees one instant."""
    async with serving(copy, data_dir) as (client, db):
        policy = {"slot_step_minutes": 15, "hold_ttl_seconds": 1, "buffer_after_minutes": 15}
        house = await open_house(client, issuer, policy=policy)
        ended, answers = asyncio.Event(), Answers()
        busy = [asyncio.create_task(_guest(house, n, ended, answers)) for n in range(12)]
        busy.append(asyncio.create_task(run_loops(tick_loops(engine_over(db), TICKS, ended), ended)))
        try:
            for number in range(AUDITS_UNDER_LOAD):
                await answers.more(20)
                report = await audit(db)
                assert report.ok, (number, [(each.check.name, each.violations[:3]) for each in report.failed])
        finally:
            ended.set()
            await asyncio.gather(*busy)
    assert answers.by_status[201] > 20
    assert answers.by_status[200] > 20
    assert set(answers.by_status) <= {200, 201, 400, 409}, answers.by_status


async def _guest(house: House, number: int, ended: asyncio.Event, answers: Answers) -> None:
    """Books, holds, moves and cancels over and over, at times that the others want too."""
    turn, headers = 0, house.bob
    while not ended.is_set():
        turn += 1
        key = f"{number} {turn}"
        start = at(turn % 24, days=number % 3)
        made = await house.book(headers, start=start, hold=turn % 3 == 0, idempotency_key=key)
        answers.came(made)
        if made.status_code != 201:
            continue
        path = f"/bookings/{made.json()['id']}"
        moved = {"start": at(turn % 24 + 1, days=number % 3), "expected_version": 1}
        changed = await house.client.put(path, json=moved, headers=headers)
        answers.came(changed)
        body = {"expected_version": 2 if changed.status_code == 200 else 1}
        if turn % 4:
            gone = await house.client.post(f"{path}/cancel", json=body, headers=headers)
            answers.came(gone)
