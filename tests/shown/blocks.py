"""Blocks at a random venue, made as the product makes them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from holdfast.block.change import BlockChange, change, remove
from holdfast.block.create import create, plan
from holdfast.block.define import NewBlock
from holdfast.block.model import Block
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.place.places import Places
from holdfast.place.venue import Venue


async def block_some(tx: Tx, venue: Venue, rng: random.Random, *, days: int, places: Places) -> None:
    """Makes up to two blocks in these days, from half a day ago, of one resource or of a whole zone, once or every
    day; some end sooner after all."""
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        start = tx.now + timedelta(minutes=30 * rng.randrange(-24, 48 * days) + rng.choice([-20, 0, 0, 0, 5]))
        wanted = NewBlock(
            id=new_id(),
            resource_ids=_blocked(rng, venue),
            start=start,
            end=start + timedelta(minutes=rng.choice([30, 60, 60, 180, 600, 1440])),
            reason="A pipe is being mended.",
            rrule=rng.choice([None, None, "FREQ=DAILY;COUNT=3"]),
            on_conflict=rng.choice(["refuse", "displace"]),
        )
        made = await _made(tx, venue, wanted, places)
        if made is not None and rng.random() < 0.2:
            await _cut_short(tx, venue, made, rng)


def _blocked(rng: random.Random, venue: Venue) -> tuple[UUID, ...]:
    every = sorted(venue.resources.values(), key=lambda each: each.slug)
    zones = sorted({each.zone for each in every if each.zone})
    if zones and rng.random() < 0.4:
        zone = rng.choice(zones)
        return tuple(each.id for each in every if each.zone == zone)
    return (rng.choice(every).id,)


async def _made(tx: Tx, venue: Venue, wanted: NewBlock, places: Places) -> Block | None:
    """The block; None if it is refused: another block or a booking is in the way, or it is over already."""

    async def read(verb: Any, *args: Any, **more: Any) -> Any:
        return await verb(tx, *args, **more)

    try:
        async with tx.savepoint():
            planned = await plan(read, wanted, by=str(tx.actor), venue=venue, places=places)
            return (await create(tx, planned, plans_left=0, venue=venue)).block
    except HoldfastError:
        return None


async def _cut_short(tx: Tx, venue: Venue, made: Block, rng: random.Random) -> None:
    if made.rrule is None or rng.random() < 0.5:
        await remove(tx, made.id, expected_version=made.version, venue=venue)
        return
    day = made.local_start.date() + timedelta(days=rng.randint(0, 2))
    ended = BlockChange(block_id=made.id, expected_version=made.version, cancelled_from=day)
    await change(tx, ended, venue=venue)
