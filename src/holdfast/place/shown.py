"""Tenants, venues and resources as requests change them (what is left out stays as it is) and as answers show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from holdfast.kernel.paging import Keyset
from holdfast.kernel.text import stored_line
from holdfast.place.document import Adjacent, Currency, ResourceDocument, Slug, VenueDocument, Zone
from holdfast.place.kept import Kept
from holdfast.place.opening.spans import Hours, Rule, Slot
from holdfast.place.policy import Policy

VERSION_MAX = 2**31 - 1
ExpectedVersion = Annotated[
    StrictInt | None,
    Field(
        ge=1,
        le=VERSION_MAX,
        description="The version of the venue that was seen; needed unless If-Match says it.",
    ),
]


def _without_defaults(schema: dict[str, Any]) -> None:
    # What is left out of a change keeps its value: it does not get the default of a new one.
    for each in schema["properties"].values():
        each.pop("default", None)
    schema.pop("required", None)


class TenantWanted(Rule):
    """A new tenant."""

    slug: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["nordlek"])
    """1 to 63 lower-case letters, digits and inner hyphens; it never changes."""
    name: stored_line(200)  # pyright: ignore[reportInvalidTypeForm]
    """For people to read."""


class VenueChange(Rule):
    """Fields of a venue that are to change."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: stored_line(200) = ""  # pyright: ignore[reportInvalidTypeForm]
    """For people to read."""
    kind: str = Field(default="", pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    """What it is: restaurant, bowling, hotel, nightclub, ..."""
    timezone: Zone = ""
    """The IANA time zone in which all its wall times are meant."""
    currency: Currency = ""
    """The currency of all its prices, ISO 4217."""
    expected_version: ExpectedVersion = None


class ResourceChange(ResourceDocument):
    """Fields of a resource that are to change. `adjacent` names all its neighbours, by slug or id."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    slug: Slug = ""
    """Its name in addresses and documents; once in a venue."""
    name: stored_line(100) = ""  # pyright: ignore[reportInvalidTypeForm]
    """For people to read."""
    expected_version: StrictInt | None = Field(default=None, ge=1, le=VERSION_MAX)
    """The version of the resource that was seen; needed unless If-Match says it."""

    @model_validator(mode="after")
    def _seats_in_order(self) -> ResourceChange:
        # In place of the document's own check: the seats left out are not known here.
        return self


class HoursChange(Hours):
    """The hours that are to replace all of the venue's."""

    expected_version: ExpectedVersion = None


class PolicyChange(Policy):
    """The policy that is to replace the venue's; what is left out gets its default."""

    expected_version: ExpectedVersion = None


class SlotsChange(Rule):
    """The slots that are to replace all of the venue's."""

    items: tuple[Slot, ...] = Field(max_length=200)
    """Named windows; none: each opening day is one slot `day`."""
    expected_version: ExpectedVersion = None


def changes_of(body: BaseModel) -> dict[str, Any]:
    """The fields that the request gave, as they were parsed."""
    return {name: getattr(body, name) for name in body.model_fields_set if name != "expected_version"}


class TenantShown(Rule):
    """A tenant: the company or club that owns venues."""

    id: UUID
    slug: str
    name: str
    version: int
    """Grows by one with each change."""
    created_at: datetime


class Neighbour(Adjacent):
    """A neighbour that a resource combines with."""

    id: UUID


class ResourceShown(ResourceDocument):
    """One thing that is reserved, as it is now."""

    id: UUID
    venue_id: UUID
    version: int
    """Grows by one with each change of the resource."""
    adjacent: tuple[Neighbour, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    """All neighbours it combines with, whichever of the two said so."""


class VenueShown(VenueDocument):
    """A venue with all in it, as it is now."""

    id: UUID
    tenant: str
    """Slug of the tenant it belongs to."""
    resources: tuple[ResourceShown, ...]  # pyright: ignore[reportIncompatibleVariableOverride]
    """What can be reserved there, by sort order, then slug; when a venue is read, the first 500."""
    resources_next: str | None = None
    """There are more: give it as `cursor` to the list of resources; null: there are no more."""
    version: int
    """Grows by one with each change of the venue's own fields and rules; resources have their own."""
    created_at: datetime
    updated_at: datetime


class VenueListed(Rule):
    """A venue in short."""

    id: UUID
    tenant: str
    """Slug of the tenant it belongs to."""
    slug: str
    name: str
    kind: str
    timezone: str
    currency: str
    version: int
    created_at: datetime
    updated_at: datetime


class _Page(Rule):
    next: str | None = None
    """Give it as `cursor` to get the next page; null: there is no more."""


class VenuePage(_Page):
    """Venues, the oldest first."""

    items: tuple[VenueListed, ...]


class ResourcePage(_Page):
    """Resources of a venue, by sort order, then slug."""

    items: tuple[ResourceShown, ...]


class SlotPage(_Page):
    """All slots of a venue, as they were written."""

    items: tuple[Slot, ...]


class OpeningShown(Rule):
    """From when to when it is open."""

    local_start: str = Field(examples=["2026-12-31T18:00:00"])
    """Wall time of the venue, without an offset."""
    local_end: str = Field(examples=["2027-01-01T03:00:00"])
    """Wall time of the venue; may be of the next day."""
    start: datetime
    end: datetime


class OpeningDayShown(Rule):
    """The openings of one day, in order; none: it is closed."""

    date: date
    openings: tuple[OpeningShown, ...]


class DayPage(_Page):
    """One entry for each day."""

    items: tuple[OpeningDayShown, ...]


BY_ORDER = Keyset[tuple[int, str]](tuple[int, str])


def order_of(resource: ResourceDocument) -> tuple[int, str]:
    """Its place in lists of resources: the sort order, then the slug."""
    return resource.sort_order, resource.slug


def resources_after(kept: Kept, after: tuple[int, str] | None) -> list[ResourceDocument]:
    """The resources of the venue behind that place, in order; None: all."""
    return [each for each in kept.document.resources if after is None or order_of(each) > after]


def venue_shown(kept: Kept, *, resources_max: int | None = None) -> dict[str, Any]:
    """A `VenueShown`, with so many of its resources at most; None: with all."""
    resources = kept.document.resources
    listed, following = BY_ORDER.page(resources, order_of, limit=resources_max or len(resources))
    return {
        "id": kept.id,
        "tenant": kept.tenant_slug,
        **kept.document.model_dump(mode="json", exclude={"resources"}),
        "resources": resources_shown(kept, listed),
        "resources_next": following,
        "version": kept.version,
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
    }


def resources_shown(kept: Kept, resources: Sequence[ResourceDocument]) -> list[dict[str, Any]]:
    """A `ResourceShown` for each of some resources of the venue."""
    return [
        {
            **each.model_dump(mode="json"),
            "adjacent": [
                {"slug": other, "seats_lost": lost, "id": kept.ids[other]}
                for other, lost in kept.neighbours.get(each.slug, ())
            ],
            "id": kept.ids[each.slug],
            "venue_id": kept.id,
            "version": kept.keys[each.slug].version,
        }
        for each in resources
    ]
