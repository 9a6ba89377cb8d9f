"""Compares the plan with a naive one, which tries every start of every entry and searches the ledger each time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.assigning.choose import Demand, candidate_sets, first_free, settle
from holdfast.assigning.preferences import Preferences
from holdfast.booking.finding.search import Found, Outlook, Sets, starts
from holdfast.booking.wanted import NOBODY
from holdfast.claim.model import Claim, Occupancy, claimed_span
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.pacing.arrived import Arrived
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.venue import Venue
from holdfast.waitlist.model import Entry, EntryStatus
from holdfast.waitlist.plan import CHUNK_STARTS, Offer, QueueSnapshot, plan

NOW = datetime(2027, 6, 1, 9, tzinfo=UTC)
DAYS = 3
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def hours(open_: str, close: str) -> dict[str, Any]:
    return {"weekly": [{"days": WEEK, "open": open_, "close": close}]}


def venue(**policy: Any) -> Venue:
    """Joined tables, a section with several units, a terrace with hours and a step of its own, a counter whose stools
    the guests take one by one, and a hall that is made of others."""
    resources: list[dict[str, Any]] = [
        {"slug": "t1", "seats_max": 2, "zone": "hall", "adjacent": ["t2"]},
        {"slug": "t2", "seats_max": 4, "zone": "hall", "adjacent": ["t3"]},
        {"slug": "t3", "seats_min": 2, "seats_max": 4, "zone": "window"},
        {"slug": "s1", "kind": "section", "seats_max": 4, "units": 2, "buffer_after_minutes": 15},
        {"slug": "terrace", "seats_max": 6, "zone": "out", "hours": hours("12:10", "20:00")},
        {"slug": "counter", "kind": "seat", "units": 6, "takes": "guests", "seats_max": 5, "zone": "out"},
        {"slug": "hall", "seats_min": 5, "seats_max": 9, "parts": ["t3", "left"], "zone": "hall"},
        {"slug": "left", "seats_max": 1, "zone": "hall", "buffer_after_minutes": 15},
    ]
    document = parse_document(
        {
            "slug": "v",
            "name": "V",
            "timezone": "Europe/Stockholm",
            "currency": "SEK",
            "policy": {"slot_step_minutes": 15, "default_duration_minutes": 90, **policy},
            "hours": hours("11:00", "22:00"),
            "slots": [{"id": "late", "name": "Late", "days": WEEK, "start": "19:50", "minutes": 90}],
            "resources": [{"kind": "table", **each} for each in resources],
        }
    )
    ids = {each.slug: UUID(int=10 + n) for n, each in enumerate(document.resources)}
    return snapshot(
        document,
        id=UUID(int=1),
        tenant_id=UUID(int=2),
        tenant_slug="n",
        resource_ids=ids,
        rules_version=1,
        version=1,
    )


def some_entries(dice: random.Random, made: Venue, count: int) -> list[Entry]:
    def entry(number: int) -> Entry:
        earliest = NOW + timedelta(minutes=15 * dice.randrange(-8, 96 * (DAYS - 1)))
        window = timedelta(minutes=dice.choice([0, 5, 60, 24 * 60, 48 * 60]))
        named = (dice.choice(list(made.resources)),) if dice.random() < 0.3 else ()
        zones = dice.choice([(), (), ("hall",), ("out",)]) if not named else ()
        return Entry(
            tenant_id=made.tenant_id,
            id=UUID(int=1000 + number),
            venue_id=made.id,
            seq=number + 1,
            status=EntryStatus.WAITING,
            version=1,
            party_size=dice.choice([1, 2, 2, 4, 5, 6, 8]),
            earliest_at=earliest,
            latest_at=earliest + window,
            duration_minutes=dice.choice([45, 90, 120, 26 * 60]),
            resource_ids=named,
            preferences=Preferences(zones=zones),
            guest=NOBODY,
            created_by="test",
            created_at=NOW,
            updated_at=NOW,
        )

    return [entry(number) for number in range(count)]


def some_claims(dice: random.Random, made: Venue) -> list[Claim]:
    """Random claims, some of them expired holds."""
    occupancy = Occupancy(NOW)
    for number in range(60):
        resource = dice.choice([each for each in made.resources.values() if not each.leaves])
        start = NOW + timedelta(minutes=5 * dice.randrange(-24, 12 * 24 * DAYS))
        span = Span(start, start + timedelta(minutes=dice.choice([30, 90, 400])))
        for unit in occupancy.free_units(resource, span) or ():
            past = NOW if dice.random() < 0.2 else None
            taken = claimed_span(resource, span)
            claim = Claim(made.tenant_id, resource.id, unit, taken, UUID(int=10**6 + number), expires_at=past)
            occupancy.add(claim)
    return [claim for claims in occupancy.by_resource.values() for claim in claims]


def sets_of(made: Venue, entries: list[Entry]) -> dict[Demand, Sets]:
    def of(entry: Entry) -> Sets:
        try:
            return candidate_sets(made, entry.demand)
        except HoldfastError:
            return ()

    return {entry.demand: of(entry) for entry in entries}


def _best(found: Found, entry: Entry, occupancy: Occupancy) -> Any:
    return first_free(found.sets[:1], found.span, occupancy, party_size=entry.party_size)


def plainly(seen: QueueSnapshot, claims: list[Claim]) -> list[tuple[UUID, Span, tuple[UUID, ...]]]:
    made, taken, arrived = seen.venue, list(claims), Arrived()
    found: list[tuple[UUID, Span, tuple[UUID, ...]]] = []
    for entry in seen.entries:
        sets = seen.sets[entry.demand]
        window = Span(entry.earliest_at, entry.latest_at)
        for start in starts(made, sets, minutes=entry.duration_minutes, within=window) if sets else ():
            span = Span(start, start + entry.length)
            occupancy = Occupancy.of(taken, now=NOW)
            free = Outlook(made, NOW, occupancy, arrived).free(sets, span, party_size=entry.party_size)
            if not span.overlaps(seen.piece) or free is None:
                continue
            while isinstance(best := _best(free, entry, occupancy), list):
                occupancy.learn(taken, best)
            assert best is not None
            settle(best[1], occupancy)
            for each in best[1]:
                taken_span = claimed_span(each.resource, span)
                for unit in each.units:
                    occupancy.add(Claim(made.tenant_id, each.resource.id, unit, taken_span, entry.id))
            taken = [claim for claims in occupancy.by_resource.values() for claim in claims]
            arrived.add(start, None, "api", entry.party_size)
            found.append((entry.id, span, tuple(each.id for each in free.sets[0])))
            break
    return found


@pytest.mark.parametrize("policy", [{}, {"pacing_covers_max": 8}, {"min_notice_minutes": 600}])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_as_the_plain_way_has_it(seed: int, policy: dict[str, Any]) -> None:
    dice = random.Random(f"{seed} {policy}")
    made = venue(**policy)
    entries, claims = some_entries(dice, made, 40), some_claims(dice, made)
    piece = Span(NOW, NOW + timedelta(hours=24 * DAYS - dice.randrange(40)))
    outlook = Outlook(made, NOW, Occupancy.of(claims, now=NOW), Arrived())
    seen = QueueSnapshot(piece, entries, sets_of(made, entries), outlook, 0)
    offers = [each for each in plan(seen) if each is not None]
    got = [(each.entry.id, each.span, tuple(r.id for r in each.resources)) for each in offers]
    assert got == plainly(seen, claims)
    assert len(got) > 3


def test_who_is_passed_over_keeps_nothing_from_others() -> None:
    made = venue()
    first = replace(
        some_entries(random.Random(1), made, 1)[0], resource_ids=(), preferences=Preferences(zones=("out",))
    )
    first = replace(first, party_size=6, duration_minutes=90)
    noon = NOW + timedelta(hours=5, minutes=10)
    both = [replace(first, id=UUID(int=n), earliest_at=noon, latest_at=noon) for n in (1, 2)]

    def offered(**options: Any) -> list[int]:
        outlook = Outlook(made, NOW, Occupancy(NOW), Arrived())
        seen = QueueSnapshot(Span(NOW, NOW + timedelta(days=1)), both, sets_of(made, both), outlook, 0)
        return [each.entry.id.int for each in plan(seen, **options) if isinstance(each, Offer)]

    assert offered() == [1]
    assert offered(skip={UUID(int=1)}) == [2]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the searches for a resource's free starts (`starts`) and for a set to book (`free`)."""
    counted = Counter[str]()

    def counting(name: str) -> None:
        real = getattr(Outlook, name)

        def count(*args: Any, **more: Any) -> Any:
            counted[name] += 1
            return real(*args, **more)

        monkeypatch.setattr(Outlook, name, count)

    counting("starts")
    counting("free")
    return counted


def all_for_one_table(made: Venue, entries: list[Entry], taken: list[Claim]) -> list[Offer]:
    table = UUID(int=10)
    entries = [
        replace(each, resource_ids=(table,), preferences=Preferences(), party_size=2) for each in entries
    ]
    outlook = Outlook(made, NOW, Occupancy.of(taken, now=NOW), Arrived())
    piece = Span(NOW, NOW + timedelta(days=3))
    seen = QueueSnapshot(piece, entries, sets_of(made, entries), outlook, 0)
    return [each for each in plan(seen) if each is not None]


def test_equal_wishes_are_worked_out_once(asked: Counter[str]) -> None:
    """Of a thousand entries that want the same, only the first is searched for. What is taken is not searched again."""
    made = venue()
    one = replace(some_entries(random.Random(1), made, 1)[0], duration_minutes=90, earliest_at=NOW)
    one = replace(one, latest_at=NOW + timedelta(days=2))
    taken = Claim(made.tenant_id, UUID(int=10), 1, Span(NOW, NOW + timedelta(days=9)), UUID(int=5))
    assert all_for_one_table(made, [replace(one, id=UUID(int=n)) for n in range(1000)], [taken]) == []
    assert asked["starts"] <= 3 * 96 / CHUNK_STARTS
    assert asked["free"] == 0


def test_only_what_is_free_is_asked_for(asked: Counter[str]) -> None:
    """What one entry gets counts as taken for all others, however long their visits are."""
    made, dice = venue(), random.Random(2)
    offers = all_for_one_table(made, some_entries(dice, made, 100), [])
    assert asked["free"] == len(offers) > 5
