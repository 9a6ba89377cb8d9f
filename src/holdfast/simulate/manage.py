"""Managers, who set up the venues and change their rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import parse_document
from holdfast.place.import_venue import Imported, import_venue
from holdfast.simulate.places import RULES, TENANTS
from holdfast.simulate.watch import Watch
from holdfast.simulate.world import House, World

CHANGES_EVERY_H: Final = 20
TRIES_MAX: Final = 20


async def open_houses(world: World, engine: Engine) -> None:
    """The venues, each in its tenant, at the start of the simulation."""
    for name, documents in TENANTS.items():
        call = engine.db.call(SYSTEM, now=world.start, deadline_s=None)
        tenant = await call.run(create_tenant, f"sim-{name}-{world.run_id}", f"Simulated {name}")
        for said in documents:
            document = parse_document(said)
            call = engine.db.call(SYSTEM, now=world.start, deadline_s=None)
            imported: Imported = await call.run(import_venue, document, tenant=tenant.slug)
            world.houses.append(House(document, imported.kept.snapshot()))
    order = world.random("houses")
    order.shuffle(world.houses)


async def change_rules(world: World, house: House, said: dict[str, Any], watch: Watch) -> None:
    """Another policy about once a day, in the midst of it all."""
    random = world.random(f"manager {house.venue.slug}")
    while True:
        await world.clock.sleep(timedelta(hours=random.uniform(2, 2 * CHANGES_EVERY_H)))
        policy = {**said.get("policy", {}), **random.choice(RULES)}
        await _rewrite(world, house, {**said, "policy": policy})
        await watch.reset(house)


async def _rewrite(world: World, house: House, said: dict[str, Any]) -> None:
    document = parse_document(said)
    for _ in range(TRIES_MAX):
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
        house.document, house.venue = document, imported.kept.snapshot()
        world.record.actions["rules_change"] += 1
        return
