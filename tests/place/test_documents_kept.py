"""Documents kept in the process: parsed once for each version of the rules, and never older than the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place import places as places_
from holdfast.place.kept import Kept
from holdfast.place.places import Places
from holdfast.place.venue import Venue

from .conftest import Ask, Cast
from .test_import_venue import imported


async def read(tx: Tx, places: Places, venue: Venue) -> tuple[Kept | None, int]:
    """The document, and how many statements that took."""
    before = tx.round_trips
    return await places.kept(tx, venue), tx.round_trips - before


async def test_a_venue_is_parsed_once_and_anew_when_it_changed(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database
) -> None:
    id_ = UUID((await imported(ask, cast, osteria))["id"])
    places = Places(db)  # of a process that hears of nothing
    venue = await places.venue(id_)
    first, statements = await db.run(SYSTEM, read, places, venue)
    assert first is not None
    assert statements == 2
    assert await db.run(SYSTEM, read, places, venue) == (first, 1)
    change = {"name": "Osteria Sud", "expected_version": first.version}
    assert (await ask(cast.alice, "PATCH", f"/venues/{id_}", json=change)).status_code == 200
    changed, statements = await db.run(SYSTEM, read, places, venue)
    assert changed is not None
    assert (changed.document.name, statements) == ("Osteria Sud", 2)
    resource = first.keys[first.document.resources[0].slug]
    change = {"name": "Best", "expected_version": resource.version}
    assert (await ask(cast.alice, "PATCH", f"/resources/{resource.id}", json=change)).status_code == 200
    changed, _ = await db.run(SYSTEM, read, places, venue)
    assert changed is not None
    assert changed.document.resources[0].name == "Best"


async def test_what_was_read_longest_ago_goes_first(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, venues = Places(db), list[Venue]()
    for number in range(3):
        venue = await imported(ask, cast, {**osteria, "slug": f"osteria-{number}"})
        venues.append(await places.venue(UUID(venue["id"])))
    first, _ = await db.run(SYSTEM, read, places, venues[0])
    assert first is not None
    size = 1 + len(first.document.resources) + len(first.document.hours.exceptions)
    monkeypatch.setattr(places_, "DOCUMENTS_SIZE_MAX", 2 * size)
    statements = [(await db.run(SYSTEM, read, places, venues[each]))[1] for each in (1, 0, 2, 0, 1, 2)]
    assert statements == [2, 1, 2, 1, 2, 2]


async def test_a_snapshot_that_is_still_right_is_not_read_again(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = await imported(ask, cast, osteria)
    places, id_ = Places(db), UUID(venue["id"])
    monkeypatch.setattr(places_, "FRESH_S", 0.0)
    first = await places.venue(id_)
    assert await places.venue(id_) is first
    change = {"name": "Osteria Sud", "expected_version": venue["version"]}
    assert (await ask(cast.alice, "PATCH", f"/venues/{id_}", json=change)).status_code == 200
    assert (await places.venue(id_)).name == "Osteria Sud"
