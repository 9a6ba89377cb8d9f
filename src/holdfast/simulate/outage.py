"""Trouble that concerns everybody: processes that die, clocks that jump."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from holdfast.simulate.process import Process
from holdfast.simulate.world import World

EVERY_H: Final = 3
JUMP_MINUTES_MAX: Final = 180


async def make_trouble(world: World) -> None:
    """Every few hours a process is killed and another started in its place, or the clock jumps."""
    random = world.random("trouble")
    while True:
        await world.clock.sleep(timedelta(hours=random.uniform(0.2, 2 * EVERY_H)))
        if random.random() < 0.5:
            world.chaos.counted("clock_jumped")
            world.clock.jump(timedelta(minutes=random.uniform(1, JUMP_MINUTES_MAX)))
        else:
            world.chaos.counted("process_killed")
            await _replace(world, random.randrange(len(world.processes)))


async def _replace(world: World, place: int) -> None:
    killed = world.processes[place]
    world.processes[place] = await Process.start(
        world.url, killed.engine, clock=world.clock, chaos=world.chaos, record=world.record
    )
    await killed.kill()
