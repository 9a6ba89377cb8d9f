"""Records what was acknowledged, outside the database, to compare with it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.idempotency import DONE
from holdfast.kernel.errors import HoldfastError

WRONG_MAX: Final = 100
"""How many violations are kept; all are counted."""
UNKNOWN: Final = "UNKNOWN"
"""Used in place of a code if no answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer to a request: `code` is DONE or the code of the refusal `refused`; `body` its JSON."""

    code: str
    body: Mapping[str, Any]
    raw: str = ""
    refused: HoldfastError | None = None

    @property
    def is_done(self) -> bool:
        return self.code == DONE

    @property
    def is_final(self) -> bool:
        """True if the same request under the same key must get this answer again."""
        return self.code != UNKNOWN and (self.refused is None or self.refused.is_final)


@dataclass(slots=True)
class Record:
    """Acknowledged outcomes.

    `steps`: the acknowledged status of a booking at a version. `told`: actors who got an acknowledgement of a
    booking's step without its version. `unsure`: actors who got no answer, so they may or may not have changed
    something. `blocks`,
    `series`, `entries`: the highest acknowledged version of each. `latest`: the newest booking, by venue.
    `objections`: how
    many transactions failed on a constraint.
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
        """Records a violation."""
        self.wrong_total += 1
        if len(self.wrong) < WRONG_MAX:
            self.wrong.append(said)

    def answered(self, action: str, answer: Answer, actor: Actor) -> None:
        """Counts an action and its outcome."""
        self.actions[action] += 1
        if answer.code == UNKNOWN:
            self.unsure.add(str(actor))
        elif not answer.is_done:
            self.refused[answer.code] += 1

    def created(self, body: Mapping[str, Any], key: str) -> None:
        """Records a booking created under that key, and checks that the key created no other."""
        id_ = UUID(body["id"])
        if self.keys.setdefault(key, id_) != id_:
            self.found_wrong(f"The key {key} created the bookings {self.keys[key]} and {id_}.")
        else:
            self.bookings += 1
            self.latest[UUID(body["venue_id"])] = id_
        self.step(body)

    def step(self, body: Mapping[str, Any]) -> None:
        """Records an acknowledged version and status of a booking."""
        id_ = UUID(str(body.get("booking_id") or body["id"]))
        version, status = body["version"], body["status"]
        before = self.steps.setdefault((id_, version), status)
        if before != status:
            self.found_wrong(
                f"Booking {id_} was acknowledged as {before} at version {version}, then as {status}."
            )

    def stepped(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        for body in bodies:
            self.step(body)
