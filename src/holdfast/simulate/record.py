"""What everybody was told: kept apart from the database, and compared with it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.idempotency import DONE

WRONG_MAX: Final = 100
"""So many sentences on what went wrong are kept; all are counted."""
UNKNOWN: Final = "UNKNOWN"
"""In place of a code: no answer could be had."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody was told in the end: `code` is DONE or that of what `refused` it, `body` its JSON."""

    code: str
    body: Mapping[str, Any]
    raw: str = ""
    refused: HoldfastError | None = None

    @property
    def is_done(self) -> bool:
        return self.code == DONE

    @property
    def is_final(self) -> bool:
        """Whether the same request under the same key must get this answer again."""
        return self.code != UNKNOWN and (self.refused is None or self.refused.kind.is_final)


@dataclass(slots=True)
class Record:
    """Acknowledged outcomes.

    `steps`: the status that a booking was said to have at a version. `told`: actors that were told of a step
    of a booking without its version. `unsure`: actors who got no answer, so that they may have done
    something or not. `blocks`, `series`, `entries`: the highest version that was acknowledged of each.
    `latest`: the booking that was made last, by venue. `objections`: of constraints, which ended a transaction.
    """

    steps: dict[tuple[UUID, int], str] = field(default_factory=dict)
    told: set[tuple[UUID, str]] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    blocks: dict[UUID, int] = field(default_factory=dict)
    series: dict[UUID, int] = field(default_factory=dict)
    entries: dict[UUID, int] = field(default_factory=dict)
    keys: dict[str, UUID] = field(default_factory=dict)
    latest: dict[UUID, UUID] = field(default_factory=dict)
    actions: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    bookings: int = 0
    overloaded: int = 0
    objections: int = 0
    wrong_total: int = 0
    wrong: list[str] = field(default_factory=list)

    def found_wrong(self, said: str) -> None:
        """Notes that something does not hold."""
        self.wrong_total += 1
        if len(self.wrong) < WRONG_MAX:
            self.wrong.append(said)

    def answered(self, action: str, answer: Answer, actor: Actor) -> None:
        """Counts what somebody did and what came of it."""
        self.actions[action] += 1
        if answer.code == UNKNOWN:
            self.unsure.add(str(actor))
        elif not answer.is_done:
            self.refused[answer.code] += 1

    def created(self, body: Mapping[str, Any], key: str) -> None:
        """A booking was made under that key. Another one must not have been."""
        id_ = UUID(body["id"])
        if self.keys.setdefault(key, id_) != id_:
            self.found_wrong(f"The key {key} made the bookings {self.keys[key]} and {id_}.")
        else:
            self.bookings += 1
            self.latest[UUID(body["venue_id"])] = id_
        self.step(body)

    def step(self, body: Mapping[str, Any]) -> None:
        """A booking is at that version and status now, somebody was told."""
        id_ = UUID(str(body.get("booking_id") or body["id"]))
        version, status = body["version"], body["status"]
        before = self.steps.setdefault((id_, version), status)
        if before != status:
            self.found_wrong(f"Booking {id_} was said to be {before} at version {version}, then {status}.")

    def stepped(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        for body in bodies:
            self.step(body)
