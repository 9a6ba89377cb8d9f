"""Staff: they set up the venues, block resources, change others' bookings, and change rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, Final, Literal, cast
from uuid import UUID

from holdfast.block import change as block_change
from holdfast.block.change import BlockChange
from holdfast.block.create import Blocked, create, plan
from holdfast.block.define import NewBlock
from holdfast.block.model import Block
from holdfast.booking.states import TERMINAL, Status
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.idempotency import DONE, Reply
from holdfast.kernel.db.tx import encode_text
from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.kernel.ids import new_id
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import parse_document
from holdfast.place.import_venue import Imported, import_venue
from holdfast.place.opening.hours import day_span, starts_of_day, to_wall
from holdfast.simulate.people.booker import Booker
from holdfast.simulate.places import RULES, TENANTS
from holdfast.simulate.process import Process
from holdfast.simulate.watch import Watch
from holdfast.simulate.world import House, World

BLOCK_EVERY_H: Final = 5
RECURRING: Final = ("FREQ=DAILY;COUNT=4", "FREQ=WEEKLY;BYDAY=TU,FR;COUNT=4", "FREQ=DAILY;INTERVAL=3;COUNT=3")
KINDS: Final = ("maintenance", "vip_override", "private_event", "host_operations")
MEDDLES_EVERY_MINUTES: Final = 25
CHANGES_EVERY_H: Final = 20
REWRITES_MAX: Final = 20


async def block_now_and_then(world: World, house: House) -> None:
    """Blocks resources every few hours, once or recurring, and usually gives them back."""
    booker = Booker(world, house, house.staff(90), f"blocks {house.venue.slug}")
    while True:
        await world.clock.sleep(timedelta(hours=booker.random.uniform(0.5, 2 * BLOCK_EVERY_H)))
        made = await _block(booker)
        if made is not None and booker.random.random() < 0.7:
            await world.clock.sleep(timedelta(hours=booker.random.uniform(0.2, 12)))
            await _give_back(booker, *made)


async def _block(booker: Booker) -> tuple[UUID, int] | None:
    record, planned = booker.world.record, partial(plan, wanted=_wanted(booker), by=str(booker.actor))
    key = booker.keyed("block_create")
    answer = await booker.ask(key.operation, booker.planned(planned, create, key=key, show=Blocked.as_json))
    if not answer.is_done:
        return None
    record.stepped(answer.body["displaced"])
    record.actions["displaced"] += len(answer.body["displaced"])
    record.blocks[UUID(answer.body["id"])] = answer.body["version"]
    return UUID(answer.body["id"]), answer.body["version"]


def _wanted(booker: Booker) -> NewBlock:
    random, venue = booker.random, booker.house.venue
    day = to_wall(booker.world.clock.seen(), venue.tz).date() + timedelta(days=random.randrange(0, 4))
    starts = starts_of_day(venue, None, day, duration_minutes=30) or [day_span(day, venue.tz).start]
    start = random.choice(starts)
    many = 1 if random.random() < 0.7 else min(3, len(venue.resources))
    return NewBlock(
        id=new_id(),
        resource_ids=tuple(random.sample(sorted(venue.resources), many)),
        start=start,
        end=start + timedelta(minutes=random.choice((30, 60, 120, 300))),
        reason="Simulated",
        kind=cast(Any, random.choice(KINDS)),
        rrule=random.choice(RECURRING) if random.random() < 0.35 else None,
        on_conflict=cast(Literal["refuse", "displace"], random.choice(("refuse", "displace", "displace"))),
    )


async def _give_back(booker: Booker, block_id: UUID, version: int) -> None:
    """Removes the block, or ends a recurring one after a day or two."""
    verb: Callable[..., Awaitable[Block]]
    if booker.random.random() < 0.5:
        verb, asked = block_change.remove, block_id
        more: dict[str, Any] = {"expected_version": version}
    else:
        days = timedelta(days=booker.random.randrange(0, 3))
        on = to_wall(booker.world.clock.seen(), booker.house.venue.tz).date() + days
        asked = BlockChange(block_id=block_id, expected_version=version, cancelled_from=on)
        verb, more = block_change.change, {}

    async def send(process: Process) -> Reply:
        block = await process.engine.change(booker.actor, booker.house.venue, verb, asked, **more)
        return Reply(DONE, encode_text({"id": block.id, "version": block.version}))

    answer, record = await booker.world.asking.ask_without_key(send), booker.world.record
    record.answered(verb.__name__.replace("change", "block_change"), answer, booker.actor)
    if answer.is_done:
        record.blocks[block_id] = answer.body["version"]


async def meddle(world: World, house: House) -> None:
    """Cancels, confirms and checks in bookings that others are working with."""
    booker = Booker(world, house, house.staff(91), f"meddler {house.venue.slug}")
    while True:
        await world.clock.sleep(timedelta(minutes=booker.random.uniform(1, 2 * MEDDLES_EVERY_MINUTES)))
        booking_id = world.record.latest.get(house.id)
        booking = None if booking_id is None else await booker.read(booking_id)
        if booking is not None and booking.status not in TERMINAL:
            await booker.move(
                booking, booker.random.choice((Status.CANCELLED, Status.CONFIRMED, Status.CHECKED_IN))
            )


async def open_houses(world: World, engine: Engine) -> None:
    """Creates the venues, each in its tenant, at the start of the simulation."""
    for name, documents in TENANTS.items():
        call = engine.db.call(SYSTEM, now=world.start, deadline_s=None)
        tenant = await call.run(create_tenant, f"sim-{name}-{world.run_id}", f"Simulated {name}")
        for said in documents:
            imported: Imported = await call.run(import_venue, parse_document(said), tenant=tenant.slug)
            world.houses.append(House(imported.kept.snapshot()))
    world.random("houses").shuffle(world.houses)


async def change_rules(world: World, house: House, said: dict[str, Any], watch: Watch) -> None:
    """Changes a venue's rules about once a day, while everything else goes on."""
    random = world.random(f"manager {house.venue.slug}")
    while True:
        await world.clock.sleep(timedelta(hours=random.uniform(2, 2 * CHANGES_EVERY_H)))
        policy = {**said["policy"], **random.choice(RULES)}
        await _rewrite(world, house, {**said, "policy": policy, "resources": _in_use(random, said)})
        await watch.reset(house)


def _in_use(random: Random, said: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the resources, of which one of those that have a type is sometimes out of use."""
    typed = [each["slug"] for each in said["resources"] if "group" in each]
    if not typed or random.random() < 0.5:
        return said["resources"]
    closed = random.choice(typed)
    return [each | ({"active": False} if each["slug"] == closed else {}) for each in said["resources"]]


async def _rewrite(world: World, house: House, said: dict[str, Any]) -> None:
    document = parse_document(said)
    for _ in range(REWRITES_MAX):
        process = world.asking.any()
        try:
            imported: Imported = await process.engine.write(
                SYSTEM, import_venue, document, tenant=house.venue.tenant_slug
            )
        except (OutcomeUnknown, Overloaded):
            world.record.overloaded += 1
            continue
        except HoldfastError as error:
            world.record.refused[error.code] += 1
            return
        house.venue = imported.kept.snapshot()
        world.record.actions["rules_change"] += 1
        return
