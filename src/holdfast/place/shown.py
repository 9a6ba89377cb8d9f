"""Tenants, venues and resources in requests (a field that is left out does not change) and in responses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from holdfast.kernel.actor import Actor, works_at
from holdfast.kernel.paging import Keyset
from holdfast.kernel.text import natural, stored_line
from holdfast.place.document import Adjacent, Currency, ResourceDocument, Slug, VenueDocument, Zone
from holdfast.place.kept import Kept
from holdfast.place.opening.spans import Hours, Rule, Slot
from holdfast.place.opening.stay import StayTimes
from holdfast.place.policy import Policy
from holdfast.place.questions.question import QUESTIONS_MAX, Question

VERSION_MAX = 2**31 - 1
ExpectedVersion = Annotated[
    StrictInt | None,
    Field(
        ge=1,
        le=VERSION_MAX,
        description="The version of the venue that the client last read; required unless If-Match gives it.",
    ),
]


def _without_defaults(schema: dict[str, Any]) -> None:
    # A field that is left out of a change keeps its value, so the defaults of a new venue don't apply.
    for each in schema["properties"].values():
        each.pop("default", None)
    schema.pop("required", None)


class TenantWanted(Rule):
    """A new tenant."""

    slug: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["nordlek"])
    """1 to 63 lower-case letters, digits and inner hyphens. It can't be changed later."""
    name: stored_line(200)  # pyright: ignore[reportInvalidTypeForm]
    """The display name."""


class VenueChange(Rule):
    """The fields of a venue to change."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: stored_line(200) = ""  # pyright: ignore[reportInvalidTypeForm]
    """The display name."""
    kind: str = Field(default="", pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    """The kind of venue: restaurant, bowling, hotel, nightclub, ..."""
    timezone: Zone = ""
    """The IANA time zone of all its wall times."""
    currency: Currency = ""
    """The currency of all its prices, ISO 4217."""
    questions: tuple[Question, ...] = Field(default=(), max_length=QUESTIONS_MAX)
    """What it asks of those who book; replaces all questions."""
    stay: StayTimes | None = None
    """When guests come and go, if it sells nights; null: it sells none."""
    expected_version: ExpectedVersion = None


class ResourceChange(ResourceDocument):
    """The fields of a resource to change. `adjacent` replaces all its neighbours, named by slug or id."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    slug: Slug = ""
    """Its name in URLs and documents; unique within the venue."""
    name: stored_line(100) = ""  # pyright: ignore[reportInvalidTypeForm]
    """The display name."""
    expected_version: StrictInt | None = Field(default=None, ge=1, le=VERSION_MAX)
    """The version of the resource that the client last read; required unless If-Match gives it."""

    @model_validator(mode="after")
    def _seats_in_order(self) -> ResourceChange:
        # Overrides the document's check: if only one of the two is given, the other is not known here.
        return self


class HoursChange(Hours):
    """Hours that replace all of the venue's."""

    expected_version: ExpectedVersion = None


class PolicyChange(Policy):
    """A policy that replaces the venue's. Fields that are left out get their defaults."""

    expected_version: ExpectedVersion = None


class SlotsChange(Rule):
    """Slots that replace all of the venue's."""

    items: tuple[Slot, ...] = Field(max_length=200)
    """The named time windows. If empty, each opening day is one slot `day`."""
    expected_version: ExpectedVersion = None


def changes_of(body: BaseModel) -> dict[str, Any]:
    """Returns the fields that the request gave, as parsed."""
    return {name: getattr(body, name) for name in body.model_fields_set if name != "expected_version"}


class TenantShown(Rule):
    """A tenant: the company or club that owns venues."""

    id: UUID
    slug: str
    name: str
    version: int
    """Increases by one with each change."""
    created_at: datetime


class Neighbour(Adjacent):
    """A neighbour that a resource can be combined with."""

    id: UUID


class ResourceShown(ResourceDocument):
    """A resource and its current state."""

    id: UUID
    venue_id: UUID
    version: int
    """Increases by one with each change of the resource."""
    adjacent: tuple[Neighbour, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    """All neighbours it can be combined with, whichever of the two named the other."""


class VenueShown(VenueDocument):
    """A venue with everything in it, in its current state."""

    id: UUID
    tenant: str
    """The slug of its tenant."""
    resources: tuple[ResourceShown, ...]  # pyright: ignore[reportIncompatibleVariableOverride]
    """What can be reserved there, ordered by sort_order, then slug. `GET` of a venue returns the first 500."""
    resources_next: str | None = None
    """The `cursor` for the rest, in the list of resources; null: there are no more."""
    version: int
    """Increases by one with each change of the venue's own fields and rules. Resources have their own versions."""
    created_at: datetime
    updated_at: datetime


class VenueListed(Rule):
    """A venue in a list, without its rules and resources."""

    id: UUID
    tenant: str
    """The slug of its tenant."""
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
    """The `cursor` for the next page; null: this is the last page."""


class VenuePage(_Page):
    """A page of venues, oldest first."""

    items: tuple[VenueListed, ...]


class ResourcePage(_Page):
    """A page of a venue's resources, ordered by sort_order, then slug."""

    items: tuple[ResourceShown, ...]


class SlotPage(_Page):
    """All slots of a venue, in the order in which they were written."""

    items: tuple[Slot, ...]


class OpeningShown(Rule):
    """One opening: its start and end."""

    local_start: str = Field(examples=["2026-12-31T18:00:00"])
    """The venue's wall time, without an offset."""
    local_end: str = Field(examples=["2027-01-01T03:00:00"])
    """The venue's wall time, without an offset; it may be on the next day."""
    start: datetime
    end: datetime


class OpeningDayShown(Rule):
    """The openings of one day, in order. If empty, the venue is closed."""

    date: date
    openings: tuple[OpeningShown, ...]


class DayPage(_Page):
    """A list with one entry per day."""

    items: tuple[OpeningDayShown, ...]


BY_ORDER = Keyset[tuple[int, str]](tuple[int, str])


def order_of(resource: ResourceDocument) -> tuple[int, str]:
    """The sort key of a resource in lists, as cursors have it."""
    return resource.sort_order, resource.slug


def _natural(key: tuple[int, str]) -> tuple[int, tuple[str | int, ...]]:
    return key[0], natural(key[1])


def resources_after(kept: Kept, after: tuple[int, str] | None) -> list[ResourceDocument]:
    """Returns the venue's resources after that sort key, in order; None: all."""
    return [
        each
        for each in kept.document.resources
        if after is None or _natural(order_of(each)) > _natural(after)
    ]


def policy_shown(kept: Kept, viewer: Actor | None = None) -> dict[str, Any]:
    """The policy as the viewer may see it: discount codes are for staff of the venue. None: all of it."""
    shown = kept.document.policy.model_dump(mode="json")
    sees_codes = viewer is None or works_at(viewer, kept.tenant_id, kept.id)
    return shown if sees_codes else {**shown, "discounts": []}


def venue_shown(
    kept: Kept, *, viewer: Actor | None = None, resources_max: int | None = None
) -> dict[str, Any]:
    """A `VenueShown` with at most `resources_max` of its resources, as the viewer may see it; None: all."""
    resources = kept.document.resources
    listed, following = BY_ORDER.page(resources, order_of, limit=resources_max or len(resources))
    return {
        "id": kept.id,
        "tenant": kept.tenant_slug,
        **kept.document.model_dump(mode="json", exclude={"resources", "policy"}),
        "policy": policy_shown(kept, viewer),
        "resources": resources_shown(kept, listed),
        "resources_next": following,
        "version": kept.version,
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
    }


def resources_shown(kept: Kept, resources: Sequence[ResourceDocument]) -> list[dict[str, Any]]:
    """A `ResourceShown` for each of these resources of the venue."""
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
