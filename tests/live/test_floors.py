"""What a process knows of channels: it only ever errs towards asking the database again."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from holdfast.event.model import Committed, Event
from holdfast.kernel.ids import new_id
from holdfast.snapshot import freshness
from holdfast.snapshot.freshness import Floors, Revision

VENUE, OTHER = new_id(), new_id()
CHANNEL = "2027-01-06:day"
NOW = datetime(2027, 1, 5, tzinfo=UTC)


def revision(version: int, *, rules: int = 1, epoch: str = "e1") -> Revision:
    return Revision(epoch, version, rules)


def told(version: int | None, *, venue_id: UUID | None = VENUE, channel: str | None = CHANNEL) -> Committed:
    event = Event(
        id=new_id(),
        tenant_id=new_id(),
        event_type="availability.updated",
        venue_id=venue_id,
        subject_id=new_id(),
        payload={},
        actor="system",
        created_at=NOW,
        channel=channel,
    )
    return Committed(0, event, version, 1, NOW)


def known(version: int) -> Floors:
    floors = Floors()
    floors.read(VENUE, CHANNEL, revision(version), generation=floors.generation(VENUE))
    return floors


@pytest.mark.parametrize(
    ("other", "good"),
    [
        (revision(5), True),
        (revision(6), True),
        (revision(5, rules=2), True),
        (revision(4), False),
        (revision(9, rules=0), False),
        (revision(9, epoch="e2"), False),
    ],
)
def test_a_revision_is_good_when_it_is_no_older_in_any_respect(other: Revision, good: bool) -> None:
    assert other.reaches(revision(5)) is good


def test_nothing_is_known_before_it_was_read() -> None:
    floors = Floors()
    floors.observe(told(3), "e1")
    assert floors.floor(VENUE, CHANNEL) is None
    assert floors.newest(VENUE, CHANNEL) == 3


def test_it_rises_with_reads_and_with_the_tail_and_never_falls() -> None:
    floors = known(5)
    floors.read(VENUE, CHANNEL, revision(4), generation=floors.generation(VENUE))
    floors.observe(told(3), "e1")
    assert floors.floor(VENUE, CHANNEL) == revision(5)
    floors.observe(told(6), "e1")
    assert floors.floor(VENUE, CHANNEL) == revision(6)
    floors.read(VENUE, CHANNEL, revision(7, rules=2), generation=floors.generation(VENUE))
    assert floors.floor(VENUE, CHANNEL) == revision(7, rules=2)


def test_two_histories_mean_that_the_database_is_asked() -> None:
    floors = known(5)
    floors.observe(told(1), "e2")
    assert floors.floor(VENUE, CHANNEL) is None
    floors = known(5)
    floors.read(VENUE, CHANNEL, revision(1, epoch="e2"), generation=floors.generation(VENUE))
    assert floors.floor(VENUE, CHANNEL) is None


def test_a_read_that_began_before_a_change_tells_nothing_of_what_is_after_it() -> None:
    floors = known(5)
    generation = floors.generation(VENUE)
    floors.invalidate(VENUE)
    assert floors.floor(VENUE, CHANNEL) is None
    floors.read(VENUE, CHANNEL, revision(5), generation=generation)
    assert floors.floor(VENUE, CHANNEL) is None
    floors.read(VENUE, CHANNEL, revision(6), generation=floors.generation(VENUE))
    assert floors.floor(VENUE, CHANNEL) == revision(6)


def test_a_change_elsewhere_is_none_here() -> None:
    floors = known(5)
    floors.invalidate(OTHER)
    assert floors.floor(VENUE, CHANNEL) == revision(5)


def test_a_venue_that_was_changed_before_it_was_ever_read_has_another_generation() -> None:
    floors = Floors()
    generation = floors.generation(VENUE)
    floors.invalidate(VENUE)
    floors.read(VENUE, CHANNEL, revision(5), generation=generation)
    assert floors.floor(VENUE, CHANNEL) is None


def test_no_generation_comes_again_when_all_is_forgotten() -> None:
    floors = Floors()
    generations = [floors.generation(VENUE)]
    for _ in range(3):
        floors.invalidate(VENUE)
        generations.append(floors.generation(VENUE))
        floors.invalidate_all()
        generations.append(floors.generation(VENUE))
    assert len(set(generations)) == len(generations)


def test_it_keeps_so_many_venues_and_forgets_all_rather_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "VENUES_MAX", 2)
    floors = known(5)
    generation = floors.generation(VENUE)
    for _ in range(2):
        floors.invalidate(new_id())
    assert floors.floor(VENUE, CHANNEL) is None
    assert floors.generation(VENUE) != generation
    assert len(floors.channels()) == 0


def test_it_keeps_so_many_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "CHANNELS_MAX", 3)
    floors = known(5)
    for n in range(20):
        venue_id = new_id()
        floors.read(venue_id, f"2027-01-06:{n}", revision(1), generation=floors.generation(venue_id))
        assert len(floors.channels()) <= 3
        if n % 4 == 0:
            floors.invalidate(venue_id)
    assert floors.newest(VENUE, CHANNEL) is None


def test_what_is_forgotten_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "CHANNELS_MAX", 1)
    floors = Floors()
    for forget in (
        lambda: floors.invalidate(VENUE),
        lambda: floors.observe(told(1), "e2"),
        lambda: floors.read(VENUE, CHANNEL, revision(1, epoch="e2"), generation=floors.generation(VENUE)),
        floors.invalidate_all,
    ):
        floors.read(VENUE, CHANNEL, revision(5), generation=floors.generation(VENUE))
        assert floors.floor(VENUE, CHANNEL) == revision(5)
        forget()
        assert floors.channels() == []


def test_events_of_no_channel_are_none_of_its_business() -> None:
    floors = known(5)
    for committed in (told(None), told(9, channel=None), told(9, venue_id=None)):
        floors.observe(committed, "e1")
    assert floors.floor(VENUE, CHANNEL) == revision(5)
