"""State shared by everybody in a simulation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import UUID

from holdfast.kernel.actor import Actor
from holdfast.place.venue import Venue
from holdfast.simulate.clock import Clock
from holdfast.simulate.people.asking import Asking
from holdfast.simulate.process import Chaos, Process
from holdfast.simulate.record import Record


@dataclass(slots=True)
class House:
    """A venue of the simulation. `venue`: as its people know it, which may be slightly stale."""

    venue: Venue

    @property
    def id(self) -> UUID:
        return self.venue.id

    def guest(self, number: int) -> Actor:
        tenants = (self.venue.tenant_id,)
        return Actor(kind="guest", id=f"g{number}", tenant_ids=tenants, roles=frozenset({"guest"}))

    def staff(self, number: int) -> Actor:
        tenants = (self.venue.tenant_id,)
        return Actor(kind="staff", id=f"s{number}", tenant_ids=tenants, roles=frozenset({"staff", "manager"}))


@dataclass(slots=True)
class World:
    """One simulation. `start`: in virtual time; `processes`: a killed one is replaced in this list.

    `invited`: guests started so far, of whom `guests` have arrived.
    """

    seed: int
    run_id: str
    start: datetime
    url: str
    clock: Clock
    chaos: Chaos
    record: Record
    processes: list[Process]
    asking: Asking
    houses: list[House] = field(default_factory=list)
    invited: int = 0
    guests: int = 0

    @property
    def tenants(self) -> list[UUID]:
        return list(dict.fromkeys(house.venue.tenant_id for house in self.houses))

    def random(self, who: str) -> Random:
        """Returns random numbers for one person: the same in each run with the seed, whatever others do."""
        return Random(f"{self.seed} {who}")
