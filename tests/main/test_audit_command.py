"""`holdfast audit` and `holdfast openapi` as scripts call them: what they print, and the exit code."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from holdfast.audit.run import CHECKS
from tests.forks import run

NewDatabase = Callable[[], Awaitable[str]]
# A claim that belongs to nobody, on a resource that is not there.
PLANT = """
    ALTER TABLE claim DROP CONSTRAINT claim_resource_exists;
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
    SELECT gen_random_uuid(), gen_random_uuid(), 1, '[2026-01-01,2026-01-02)', 'booking', gen_random_uuid()
      FROM generate_series(1, 5)
"""
FOUND = {"claims_have_an_owner", "claims_are_on_units_that_exist"}


async def holdfast(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return await asyncio.to_thread(run, words, env=environ | variables, timeout_s=240)


async def audit(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return await holdfast("audit", *options, HOLDFAST_DATABASE_URL=url, HOLDFAST_UNSAFE_DATABASE="1")


@pytest.fixture
async def sound(new_migrated: NewDatabase) -> str:
    return await new_migrated()


@pytest.fixture
async def broken(sound: str) -> str:
    connection = await asyncpg.connect(sound)
    await connection.execute(PLANT)
    await connection.close()
    return sound


async def test_json_of_a_sound_database_is_one_line_and_the_code_is_0(sound: str) -> None:
    done = await audit(sound, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == {
        "ok": True,
        "checks": [{"name": each.name, "ok": True, "violations": [], "count": 0} for each in CHECKS],
    }


async def test_json_of_a_broken_one_has_the_rows_and_the_code_is_1(broken: str) -> None:
    done = await audit(broken, "--json")
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert report["ok"] is False
    checks = {each["name"]: each for each in report["checks"]}
    assert {name for name, each in checks.items() if not each["ok"]} == FOUND
    found = checks["claims_have_an_owner"]
    assert found["count"] == len(found["violations"]) == 5
    assert {"tenant_id", "owner_id", "resource_id", "unit", "during"} == set(found["violations"][0])
    assert f"2 of {len(CHECKS)} checks found violations" in done.stderr


async def test_people_get_a_table(sound: str) -> None:
    done = await audit(sound)
    assert done.returncode == 0, done.stderr
    lines = [line.split()[:3] for line in done.stdout.splitlines()[1:]]
    assert lines == [["ok", each.name, "0"] for each in CHECKS]


async def test_people_get_a_table_with_examples_of_what_is_wrong(broken: str) -> None:
    done = await audit(broken)
    assert done.returncode == 1
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == FOUND
    assert (
        "claims_have_an_owner: The booking of every claim, or of the cleaning after it, exists."
        in done.stdout
    )
    assert "and 2 more (--json lists up to 5)" in done.stdout
    assert "Traceback" not in done.stderr


async def test_without_a_schema_nothing_is_said_to_hold(new_database: NewDatabase) -> None:
    done = await audit(await new_database(), "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "holdfast migrate" in done.stderr


async def test_the_openapi_document_needs_no_database() -> None:
    done = await holdfast("openapi", HOLDFAST_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["openapi"].startswith("3.1")
    assert "post" in document["paths"]["/api/v1/bookings"]
    assert "Problem" in document["components"]["schemas"]
