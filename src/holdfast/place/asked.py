"""Bodies of requests that change places. What is left out stays as it is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from holdfast.place.document import Currency, ResourceDocument, Slug, Zone
from holdfast.place.opening import Hours, Rule, Slot
from holdfast.place.policy import Policy

ExpectedVersion = Annotated[
    StrictInt | None,
    Field(ge=1, description="The version of the venue that was seen; needed unless If-Match says it."),
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
    name: str = Field(min_length=1, max_length=200)
    """For people to read."""


class VenueChange(Rule):
    """Fields of a venue that are to change."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: str = Field(default="", min_length=1, max_length=200)
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
    name: str = Field(default="", min_length=1, max_length=100)
    """For people to read."""
    expected_version: StrictInt | None = Field(default=None, ge=1)
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
