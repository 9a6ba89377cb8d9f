"""What guests see as available in the live picture of a slot they can book, and they see when that will be over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from holdfast.booking import due
from holdfast.booking.model import Booking
from holdfast.booking.said import Asker
from holdfast.booking.wanted import Overriding, When
from holdfast.channel.names import STAFF_VIEW, Viewer
from holdfast.channel.slots import DatedSlot, slots_of_day
from holdfast.place.opening import hours
from holdfast.place.opening.slot import DAY_SLOT_ID
from holdfast.place.policies.overrides import OVERRULABLE
from holdfast.snapshot.shown import changes_at, entry_of
from holdfast.snapshot.take import SlotKey, Snapshot, opened

from .world import Ask, World, campaign

QUICK = range(6)
STAFF = Asker(is_staff=True, source="phone")
Json = dict[str, Any]
TIME = {"TOO_SOON", "TOO_FAR_AHEAD", "OUTSIDE_OPENING_HOURS"}
AT_NO_TIME = {"PACING_EXCEEDED", "INVALID_REQUEST"}
"""Arrivals and rules about nights refuse it whenever it is asked for."""
CLOSED = {"closed", "not now", "held back", "no more arrivals", "no arrival"}
"""Then nothing at all of the slot can be booked."""
BOOKED = "BOOKED"
TRIED_MAX = 6
NIGHTS_TRIED_MAX = 4


async def _pictures(world: World) -> int:
    if world.venue.policy.fair_use:
        return 0  # the picture does not know who asks, so it says nothing of what they have (decision 0048)
    compared = 0
    await due.expire(world.tx, 1000)  # until then, holds that have expired are in the picture
    for day in world.rng.sample(world.days, 2):
        for slot in slots_of_day(world.venue, day):
            key = SlotKey(world.venue.tenant_id, world.venue.id, day, slot.id)
            taken = await opened(world.tx, key, places=world.places)
            for groups in {frozenset[str](), world.groups}:
                viewer = Viewer(groups=tuple(groups))
                shown = orjson.loads(entry_of(taken, viewer, pricing=world.tx.ports.pricing).body)
                _lasts(world, taken, viewer)
                for section in shown["sections"]:
                    section["asker"] = Asker(is_staff=False, source="web", groups=groups)
                    await _is_right(world, slot, section)
                    compared += 1
            shown = orjson.loads(entry_of(taken, STAFF_VIEW, pricing=world.tx.ports.pricing).body)
            for section in shown["sections"]:
                await _is_free(world, slot, section)
    return compared


async def _is_free(world: World, slot: DatedSlot, section: Json) -> None:
    """What staff see as available they can book for all of the slot, if they overrule what may be overruled; what is
    taken they can't, whatever they overrule."""
    if section.get("reason") == "closed":
        return
    when = When(start=slot.span.start, end=slot.span.end)
    about = {
        "resource_ids": (UUID(section["sectionId"]),),
        "overriding": Overriding(OVERRULABLE, "The owner's wish."),
    }
    found = await world.outcome(world.wanted(when, max(section["seatsMin"], 1), asker=STAFF, **about))
    said = f"{world.said} {slot} {section} {found}"
    assert isinstance(found, Booking) is (section["state"] == "available"), said


def _lasts(world: World, taken: Snapshot, viewer: Viewer) -> None:
    """It stays right as long as it is kept."""
    following = changes_at(taken, viewer)
    if following is not None:
        kept = [taken, replace(taken, at=following - timedelta(microseconds=1))]
        shown = [orjson.loads(entry_of(each, viewer, pricing=world.tx.ports.pricing).body) for each in kept]
        states = [[(each["state"], each["unitsFree"]) for each in one["sections"]] for one in shown]
        assert following > world.now
        assert states[0] == states[1], f"{world.said} {taken.slot}"


async def _is_right(world: World, slot: DatedSlot, section: Json) -> None:
    said = f"{world.said} {slot} {section}"
    of_slot = await _codes(world, _slot_itself(world, slot), section)
    inside = _inside(world, slot, section)
    if section["state"] == "available":
        codes = of_slot | await _codes(world, inside, section)
        assert BOOKED in codes, f"{said}: {codes}"
    else:
        assert BOOKED not in of_slot, said
    if section.get("reason") in CLOSED:
        some = world.rng.sample(inside, min(TRIED_MAX, len(inside)))
        assert BOOKED not in await _codes(world, some, section), said
    if section.get("reason") == "held back" and section.get("bookableFrom"):
        await _release_is_right(world, slot, section, said)
    if section.get("bookableUntil"):
        await _time_is_right(world, slot, section, said)


async def _time_is_right(world: World, slot: DatedSlot, section: Json, said: str) -> None:
    """Until that time something is not too late, and then everything is, or is held back."""
    now, until = world.tx.now, datetime.fromisoformat(section["bookableUntil"])
    whens = [*_slot_itself(world, slot), *_inside(world, slot, section)][::-1]
    for at, over in ((until, False), (until + timedelta(seconds=1), True)):
        world.tx.now = at
        holds_back = over and bool(world.venue.policy.held_back)
        no_time = TIME | AT_NO_TIME | ({f"{section['kind'].upper()}_NOT_AVAILABLE"} if holds_back else set())
        codes = await _codes(world, whens[:TRIED_MAX] if over else whens, section, but=no_time)
        assert bool(codes - no_time) is not over, f"{said}: at {at} {codes}"
    world.tx.now = now


async def _release_is_right(world: World, slot: DatedSlot, section: Json, said: str) -> None:
    """Just before that time nothing can be booked, and then something can."""
    now, release = world.tx.now, datetime.fromisoformat(section["bookableFrom"])
    whens = [*_slot_itself(world, slot), *_inside(world, slot, section)]
    for at, released in ((release - timedelta(seconds=1), False), (release, True)):
        world.tx.now = at
        codes = await _codes(world, whens, section)
        assert (BOOKED in codes) is released, f"{said}: {at} {codes}"
    world.tx.now = now


def _slot_itself(world: World, slot: DatedSlot) -> list[When]:
    if world.venue.stay is not None:
        return [When(arrival=slot.day, nights=count) for count in range(1, NIGHTS_TRIED_MAX + 1)]
    if slot.id != DAY_SLOT_ID or world.venue.policy.starts == "slots":
        return [When(day=slot.day, slot_id=slot.id)]
    return []


def _inside(world: World, slot: DatedSlot, section: Json) -> list[When]:
    """The starts of bookings of the usual length that are in the slot."""
    venue = world.venue
    if venue.stay is not None or venue.policy.starts == "slots":
        return []
    usual = next(
        (each.minutes for each in venue.policy.durations if section["seatsMin"] <= each.party_size_max),
        venue.policy.default_duration_minutes,
    )
    own = venue.resources[UUID(section["sectionId"])].hours
    starts = hours.starts_of_day(venue, own, slot.day, duration_minutes=usual)
    last = slot.span.end - timedelta(minutes=usual)
    return [When(start=each) for each in starts if slot.span.start <= each <= last]


async def _codes(world: World, whens: list[When], section: Json, *, but: set[str] | None = None) -> set[str]:
    """What comes of bookings of the section at these times, up to the first that is made: the codes of refusals, and
    `BOOKED`. `but`: the first other code than these will do."""
    codes = set[str]()
    for when in whens:
        for source in _sources(world):
            asker = replace(section["asker"], source=source)
            named = {"resource_ids": (UUID(section["sectionId"]),)}
            found = await world.outcome(world.wanted(when, section["seatsMin"], asker=asker, **named))
            codes.add(BOOKED if isinstance(found, Booking) else found.error.code)
        if BOOKED in codes or (but is not None and codes - but):
            break
    return codes


def _sources(world: World) -> list[str]:
    """Guests come by any source that everybody can use; which one, only some bounds on arrivals tell apart."""
    return ["web", "api"] if any(each.sources for each in world.venue.policy.pacing) else ["web"]


async def test_live_pictures(ask: Ask) -> None:
    assert await ask(_pictures, QUICK) > 20


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_live_pictures_in_many_worlds(ask: Ask) -> None:
    assert await ask(_pictures, campaign()) > 0
