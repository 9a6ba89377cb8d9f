"""Changes venues: their own fields and rules, holidays as exceptions of their hours, and their resources."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest, NotFound
from holdfast.place.changes.amend import WRITTEN, Amended, Amending
from holdfast.place.document import (
    Adjacent,
    ResourceDocument,
    VenueDocument,
    parse_document,
    validated,
    with_order,
)
from holdfast.place.kept import Kept
from holdfast.place.opening.holidays_of import Holiday
from holdfast.place.opening.spans import HoursException, HoursSpan
from holdfast.place.policies.held_back import HeldBack, problems_of_held_back, renamed
from holdfast.place.reach import check_version, own_venue

YEARS_BACK_MAX = 1
YEARS_AHEAD_MAX = 10


async def change_venue(
    tx: Tx,
    venue_id: UUID,
    changes: Mapping[str, Any],
    *,
    expected_version: int,
    amending: Amending = WRITTEN,
) -> Amended:
    """Changes fields of the venue's document: name, kind, timezone, currency, policy, hours, slots, stay. Runs under
    the venue's lock. `amending`: `FORESEEN` only says what would change, here and below.

    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` if the fields contradict each other.
    """
    kept = await own_venue(tx, venue_id, expected_version=expected_version)
    document = parse_document({**dict(kept.document), **changes})
    return await amending.change(tx, kept, document, ids=kept.ids)


@dataclass(frozen=True, slots=True)
class WithHolidays:
    """The venue with its new hours, and the holidays by outcome: each is in exactly one of the lists."""

    amended: Amended
    added: list[Holiday]
    replaced: list[Holiday]
    kept: list[Holiday]


async def add_holidays(
    tx: Tx,
    venue_id: UUID,
    found: Sequence[Holiday],
    *,
    years: Collection[int],
    spans: tuple[HoursSpan, ...],
    replace: bool,
    expected_version: int,
    amending: Amending = WRITTEN,
) -> WithHolidays:
    """Adds an exception with these `spans` (none: closed) for each holiday. Runs under the venue's lock.

    A date that already has an exception keeps it, unless `replace` is true.
    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` for years too far in the past or the future.
    """
    _check_years(years, this_year=tx.now.year)
    before = await own_venue(tx, venue_id, expected_version=expected_version)
    exceptions = {each.date: each for each in before.document.hours.exceptions}
    there = [each for each in found if each.on in exceptions]
    added = [each for each in found if each.on not in exceptions]
    for each in [*added, *(there if replace else ())]:
        holiday = {
            "date": each.on,
            "closed": not spans,
            "spans": spans,
            "name": each.name,
            "source": "holiday",
        }
        exceptions[each.on] = validated(HoursException, holiday)
    hours = {"weekly": before.document.hours.weekly, "exceptions": tuple(exceptions.values())}
    document = parse_document({**dict(before.document), "hours": hours})
    after = await amending.change(tx, before, document, ids=before.ids)
    return WithHolidays(after, added, there if replace else [], [] if replace else there)


def _check_years(years: Collection[int], *, this_year: int) -> None:
    first, last = this_year - YEARS_BACK_MAX, this_year + YEARS_AHEAD_MAX
    for year in years:
        if not first <= year <= last:
            raise InvalidRequest.of("years", year, f"must be {first} to {last}")


async def add_resource(
    tx: Tx, venue_id: UUID, resource: ResourceDocument, *, amending: Amending = WRITTEN
) -> Amended:
    """Adds a resource to the venue. Runs under the venue's lock.

    Raises `NotFound`, and `InvalidRequest` if the slug is taken or a neighbour is not a resource of this venue.
    """
    kept = await own_venue(tx, venue_id)
    refuse_taken(kept, resource.slug)
    largest = max((each.sort_order for each in kept.document.resources), default=0)
    wanted = named_by_slug(kept, with_order(resource, largest))
    return await amending.change(
        tx, kept, with_resources(kept, [*kept.document.resources, wanted]), ids=kept.ids
    )


async def change_resource(
    tx: Tx,
    venue_id: UUID,
    resource_id: UUID,
    changes: Mapping[str, Any],
    *,
    expected_version: int,
    amending: Amending = WRITTEN,
) -> Amended:
    """Changes fields of a resource of the venue; `adjacent` replaces all its neighbours. Runs under the venue's
    lock.

    Raises `NotFound`, `VersionConflict` with the resource's version, and `InvalidRequest`.
    """
    kept = await own_venue(tx, venue_id)
    before = own_resource(kept, resource_id, expected_version=expected_version)
    after = named_by_slug(kept, validated(ResourceDocument, {**dict(before), **changes}))
    if after.slug != before.slug:
        refuse_taken(kept, after.slug)
    others = [each for each in kept.document.resources if each is not before]
    neighbours = [_neighbours_of(each, before.slug, after, changes) for each in others]
    ids = {each.slug: kept.ids[each.slug] for each in others} | {after.slug: resource_id}
    held_back = renamed(kept.document.policy.held_back, before.slug, after.slug)
    return await amending.change(tx, kept, with_resources(kept, [*neighbours, after], held_back), ids=ids)


def own_resource(kept: Kept, resource_id: UUID, *, expected_version: int | None = None) -> ResourceDocument:
    """Returns the venue's resource if it has the expected version. Raises `NotFound`, `VersionConflict`."""
    resource = kept.by_id.get(resource_id)
    if resource is None:
        raise NotFound(f"There is no resource {resource_id}, or it is not yours.")
    if expected_version is not None:
        check_version(kept.keys[resource.slug].version, expected_version)
    return resource


def refuse_taken(kept: Kept, slug: str) -> None:
    """Raises `InvalidRequest` if a resource of the venue has that slug."""
    if slug in kept.keys:
        raise InvalidRequest.of("slug", slug, "is taken: choose one that no other resource of the venue has")


def named_by_slug(kept: Kept, resource: ResourceDocument) -> ResourceDocument:
    """Returns the resource with its neighbours and parts named by slug; the request may have named them by id.

    Raises `InvalidRequest` for a neighbour that is not a resource of this venue.
    """
    slugs = {str(id_): each.slug for id_, each in kept.by_id.items()}
    allowed = {*kept.keys, resource.slug}
    adjacent: list[Adjacent] = []
    for at, each in enumerate(resource.adjacent):
        slug = slugs.get(each.slug, each.slug)
        if slug not in allowed:
            problem = "must be the slug or id of a resource of the same venue"
            raise InvalidRequest.of(f"adjacent.{at}", each.slug, problem)
        adjacent.append(Adjacent(slug=slug, seats_lost=each.seats_lost))
    parts = tuple(slugs.get(each, each) for each in resource.parts)
    return resource.model_copy(update={"adjacent": tuple(adjacent), "parts": parts})


def with_resources(
    kept: Kept, resources: Sequence[ResourceDocument], held_back: Sequence[HeldBack] | None = None
) -> VenueDocument:
    """Returns the venue's document with these resources, validated as a whole; the changed resource comes last.
    `held_back`: what the policy holds back; None: as before.

    Raises `InvalidRequest` with the names of that resource's fields as in the request.
    """
    policy = kept.document.policy
    if held_back is not None:
        policy = policy.model_copy(update={"held_back": tuple(held_back)})
    for where, value, problem in problems_of_held_back(policy.held_back, resources):
        raise InvalidRequest.of(".".join(map(str, where)), value, f"{problem}: change the policy first")
    document = {**dict(kept.document), "policy": policy, "resources": tuple(resources)}
    return validated(VenueDocument, document, skip=2)


def _neighbours_of(
    other: ResourceDocument, slug: str, after: ResourceDocument, changes: Mapping[str, Any]
) -> ResourceDocument:
    """Returns the other resource with its reference to the changed one updated: it gets the new slug, or goes if the
    change lists all neighbours itself."""
    if slug in other.parts:
        parts = tuple(after.slug if each == slug else each for each in other.parts)
        other = other.model_copy(update={"parts": parts})
    if all(each.slug != slug for each in other.adjacent):
        return other
    kept = [each for each in other.adjacent if each.slug != slug]
    if "adjacent" not in changes:
        kept += [
            Adjacent(slug=after.slug, seats_lost=each.seats_lost)
            for each in other.adjacent
            if each.slug == slug
        ]
    return other.model_copy(update={"adjacent": tuple(kept)})


async def remove_resource(
    tx: Tx, venue_id: UUID, resource_id: UUID, *, expected_version: int, amending: Amending = WRITTEN
) -> Amended:
    """Removes the resource from the venue; its row stays for history. Runs under the venue's lock.

    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` while bookings or blocks use it, now or later.
    """
    kept = await own_venue(tx, venue_id)
    gone = own_resource(kept, resource_id, expected_version=expected_version)
    for each in kept.document.resources:
        if gone.slug in each.parts:
            raise InvalidRequest.of(
                "resources", gone.slug, f"is a part of {each.slug}: change its parts first"
            )
    left = [
        each.model_copy(
            update={"adjacent": tuple(other for other in each.adjacent if other.slug != gone.slug)}
        )
        for each in kept.document.resources
        if each is not gone
    ]
    ids = {each.slug: kept.ids[each.slug] for each in left}
    return await amending.change(tx, kept, with_resources(kept, left), ids=ids)
