"""Turns a request into a block, by the venue's rules alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from holdfast.block.expand import claims_of, leaves_of, occurrences_of
from holdfast.block.model import Block, Kind
from holdfast.claim.model import Claim
from holdfast.kernel.errors import InvalidRequest
from holdfast.place.opening.hours import instant_of, to_wall
from holdfast.place.opening.recurrence import (
    HORIZON_YEARS,
    Recurrence,
    check_horizon,
    last_day,
    occurrences,
    parse,
)
from holdfast.place.venue import Resource, Venue

CLAIMS_MAX = 20_000
"""The most claims of one block: units of its resources times occurrences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlock:
    """A requested block; its id is generated beforehand. `start`, `end`: of the first occurrence."""

    id: UUID
    resource_ids: tuple[UUID, ...]
    start: datetime
    end: datetime
    reason: str
    kind: Kind = "maintenance"
    rrule: str | None = None
    on_conflict: Literal["refuse", "displace"] = "refuse"


@dataclass(frozen=True, slots=True)
class Defined:
    """A block, the resources it takes, and its claims on them."""

    block: Block
    resources: tuple[Resource, ...]
    claims: list[Claim]


def define(wanted: NewBlock, venue: Venue, *, by: str, now: datetime) -> Defined:
    """Returns the block. Raises InvalidRequest, which names the field: unknown resources, times out of order or in
    the past, a recurrence outside the subset, beyond the horizon or overlapping itself, or too many claims."""
    resources = _resources(wanted.resource_ids, venue)
    local_start, local_end = (_wall(wanted, name, venue) for name in ("start", "end"))
    if wanted.start >= wanted.end or local_start >= local_end:
        raise InvalidRequest.of(
            "end", wanted.end.isoformat(), f"must be after the start, {wanted.start.isoformat()}"
        )
    recurrence = None if wanted.rrule is None else parse(wanted.rrule)
    check_horizon(recurrence, local_start=local_start, tz=venue.tz, horizon_from=now)
    _check_end(wanted, venue, now)
    # Called for its errors, which say what is wrong with the recurrence.
    occurrences(recurrence, local_start=local_start, local_end=local_end, tz=venue.tz)
    block = Block(
        tenant_id=venue.tenant_id,
        id=wanted.id,
        venue_id=venue.id,
        kind=wanted.kind,
        reason=wanted.reason,
        resource_ids=wanted.resource_ids,
        local_start=local_start,
        local_end=local_end,
        timezone=venue.timezone,
        rrule=None if recurrence is None else recurrence.text,
        created_by=by,
        first_at=wanted.start,
        last_at=wanted.end,
        created_at=now,
        updated_at=now,
    )
    return _claimed(block, resources, recurrence)


def _claimed(block: Block, resources: tuple[Resource, ...], recurrence: Recurrence | None) -> Defined:
    spans = [each.span for each in occurrences_of(block)]
    if not spans:
        field, value = (
            ("end", block.last_at.isoformat()) if recurrence is None else ("rrule", recurrence.text)
        )
        raise InvalidRequest.of(field, value, "is already over: a block must end in the future")
    count = len(spans) * sum(resource.units for resource in leaves_of(resources))
    if count > CLAIMS_MAX:
        problem = (
            f"makes {count:,} claims (units times occurrences), but a block can have at most {CLAIMS_MAX:,}: "
            "block fewer resources at once, or a shorter time"
        )
        raise InvalidRequest.of("rrule", block.rrule, problem)
    block = replace(block, first_at=spans[0].start, last_at=spans[-1].end)
    return Defined(block, resources, claims_of(block, resources))


def _resources(resource_ids: Sequence[UUID], venue: Venue) -> tuple[Resource, ...]:
    for id_ in resource_ids:
        if id_ not in venue.resources:
            raise InvalidRequest.of("resource_ids", str(id_), f"is not a resource of {venue.name}")
    return tuple(venue.resources[id_] for id_ in resource_ids)


def _wall(wanted: NewBlock, name: Literal["start", "end"], venue: Venue) -> datetime:
    instant = getattr(wanted, name)
    wall = to_wall(instant, venue.tz)
    if instant_of(wall, venue.tz) != instant:
        # A block is stored in wall time, where this instant looks the same as an earlier one.
        problem = f"is in the hour that clocks in {venue.timezone} repeat: choose a time before or after it"
        raise InvalidRequest.of(name, instant.isoformat(), problem)
    return wall


def _check_end(wanted: NewBlock, venue: Venue, now: datetime) -> None:
    last = last_day(now, venue.tz)
    if to_wall(wanted.end, venue.tz).date() > last + timedelta(days=1):
        problem = f"is too far ahead: a block must end at most {HORIZON_YEARS} years from now, by {last.isoformat()}"
        raise InvalidRequest.of("end", wanted.end.isoformat(), problem)
