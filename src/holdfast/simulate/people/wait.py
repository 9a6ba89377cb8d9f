"""Guests who join the waitlist for a place that is taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.model import Guest
from holdfast.kernel.db.idempotency import DONE, Reply
from holdfast.kernel.db.tx import encode_text
from holdfast.kernel.ids import new_id
from holdfast.simulate.people.booker import Booker
from holdfast.simulate.people.wish import Intention
from holdfast.simulate.process import Process
from holdfast.simulate.record import Answer
from holdfast.waitlist import store
from holdfast.waitlist.answer import accept, decline, leave
from holdfast.waitlist.join import Joining, join
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.shown import as_json

LOOKS_MAX: Final = 40
WINDOWS_MINUTES: Final = (0, 60, 240, 1440)
LEAVES_SHARE: Final = 0.06
"""Of those who check and are still waiting."""


async def wait(booker: Booker, wanted: Intention) -> UUID | None:
    """Waits for an offer of the wish or something like it. Returns the booking; None if nothing came of it."""
    entry_id = await _join(booker, wanted)
    if entry_id is None:
        return None
    for _ in range(LOOKS_MAX):
        await booker.world.clock.sleep(timedelta(minutes=booker.random.randrange(3, 40)))
        entry = await booker.look(store.find, entry_id, "Entry")
        if entry is None or entry.status not in (EntryStatus.WAITING, EntryStatus.OFFERED):
            return None
        if entry.status is EntryStatus.OFFERED:
            return await _answer(booker, entry)
        if booker.random.random() < LEAVES_SHARE:
            await _say(booker, "waitlist_leave", leave, entry)
            return None
    return None


async def _join(booker: Booker, wanted: Intention) -> UUID | None:
    key, random = booker.keyed("join"), booker.random
    named = random.random() < 0.3
    asked = Joining(
        id=new_id(),
        party_size=wanted.party_size,
        earliest=wanted.earliest,
        latest=wanted.earliest + timedelta(minutes=random.choice(WINDOWS_MINUTES)),
        duration_minutes=wanted.minutes,
        resource_ids=wanted.resource_ids if named else (),
        preferences=ANYTHING if named and wanted.resource_ids else wanted.preferences,
        guest=Guest(id=booker.actor.id, name="Sim"),
    )
    answer = await booker.ask("waitlist_join", booker.once(join, asked, key=key, show=as_json))
    if not answer.is_done:
        return None
    id_ = UUID(answer.body["id"])
    booker.world.record.entries[id_] = answer.body["version"]
    return id_


async def _answer(booker: Booker, entry: Entry) -> UUID | None:
    """Most guests accept, some decline or leave, some forget to answer."""
    roll = booker.random.random()
    if roll < 0.15:
        await _say(booker, "waitlist_decline", decline, entry)
    elif roll < 0.2:
        await _say(booker, "waitlist_leave", leave, entry)
    elif roll < 0.8:
        answer = await _say(booker, "waitlist_accept", accept, entry)
        if answer.is_done and answer.body["status"] == EntryStatus.ACCEPTED:
            return entry.booking_id
    return None


async def _say(booker: Booker, action: str, verb: Callable[..., Awaitable[Entry]], entry: Entry) -> Answer:
    async def send(process: Process) -> Reply:
        after: Entry = await process.engine.change(booker.actor, booker.house.venue, verb, entry.id)
        if verb is leave and after.status is not EntryStatus.LEFT:
            moved(after, EntryStatus.LEFT, now=after.updated_at)  # raises the same refusal as the API
        return Reply(DONE, _shown(after))

    answer, record = await booker.world.asking.ask(send), booker.world.record
    record.answered(action, answer, booker.actor)
    if answer.is_done:
        record.entries[entry.id] = max(record.entries.get(entry.id, 0), answer.body["version"])
        if answer.body["booking_id"] is not None:  # the offer may have come since the last check
            record.told.add((UUID(answer.body["booking_id"]), str(booker.actor)))
    return answer


def _shown(entry: Entry) -> str:
    names = ("id", "status", "version", "booking_id")
    return encode_text({name: getattr(entry, name) for name in names})
