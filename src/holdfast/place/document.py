"""A complete venue as one YAML or JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from holdfast.kernel.body import Problem, invalid_request, refuse
from holdfast.kernel.money import CURRENCIES, minor_units
from holdfast.kernel.text import free_form, stored_line
from holdfast.place.opening.spans import DAY_MINUTES, Hours, Rule, Slot
from holdfast.place.opening.stay import StayTimes, problems_of_slots
from holdfast.place.parts import problems_of_parts, problems_of_types
from holdfast.place.policies.held_back import problems_of_held_back
from holdfast.place.policy import Policy
from holdfast.place.prices.amounts import Amount, fractions
from holdfast.place.prices.sold import amounts_of
from holdfast.place.questions.question import QUESTIONS_MAX, Question

RESOURCES_MAX = 5000
PARTS_MAX = 50
SORT_ORDER_MAX = 1_000_000
ATTRIBUTES_BYTES_MAX = 4096
ZONE_CHARS_MAX = 64
"""Longer than the name of any time zone; the longest has 32 characters."""

M = TypeVar("M", bound=Rule)
ResourceKind = Literal["lane", "table", "room", "section", "facility", "seat"]
RESOURCE_KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["osteria-nord"])]
"""1 to 63 lower-case letters, digits, - and _, starting with a letter or digit."""


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("must be an IANA time zone such as 'Europe/Stockholm'")
    return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(each for each in available_timezones() if "/" in each or each == "UTC")


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("must be a currency of ISO 4217 in capital letters such as 'EUR' or 'SEK'")
    return code


def _small(attributes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    size = len(json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode())
    if size > ATTRIBUTES_BYTES_MAX:
        raise ValueError(f"must be at most {ATTRIBUTES_BYTES_MAX} bytes of JSON, not {size}")
    return attributes


def _neighbour(value: Any) -> Any:
    return {"slug": value} if isinstance(value, str) else value


Zone = Annotated[str, Field(json_schema_extra={"maxLength": ZONE_CHARS_MAX}), AfterValidator(_known_zone)]
"""A time zone of the IANA database: `Europe/Stockholm`."""
Currency = Annotated[str, Field(json_schema_extra={"pattern": "^[A-Z]{3}$"}), AfterValidator(_known_currency)]
"""An ISO 4217 code, three capital letters: `SEK`."""
Seats = Annotated[int, Field(strict=True, ge=1, le=100_000)]
BufferMinutes = Annotated[int, Field(strict=True, ge=0, le=DAY_MINUTES)]
Coordinate = Annotated[float, Field(strict=True, ge=-1e6, le=1e6, allow_inf_nan=False)]
Extent = Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)]


class Position(Rule):
    """The position of a resource on the floor plan, in the plan's own units (about a centimetre)."""

    x: Coordinate
    """Left edge; grows to the right."""
    y: Coordinate
    """Upper edge; grows downwards."""
    w: Extent = 60
    """Width."""
    h: Extent = 60
    """Height."""
    rotation: Annotated[float, Field(strict=True, ge=-360, le=360, allow_inf_nan=False)] = 0
    """Degrees clockwise around the centre."""
    shape: Literal["rect", "square", "round", "oval"] = "rect"
    """The shape it is drawn with."""


class Adjacent(Rule):
    """A neighbour that a resource can be combined with."""

    slug: Slug
    """The neighbour's slug."""
    seats_lost: StrictInt = Field(default=0, ge=0, le=100_000)
    """Seats lost when the two are combined, where they meet. If both neighbours give a number, the larger counts."""


def _without_default(schema: dict[str, Any]) -> None:
    # It depends on the document.
    del schema["default"]


class ResourceDocument(Rule):
    """Something that can be reserved: a table, lane, room, section, facility or seat."""

    slug: Slug
    """Its name in URLs and documents; unique within the venue."""
    name: stored_line(100) = Field(default_factory=lambda data: data.get("slug", ""))  # pyright: ignore[reportInvalidTypeForm]
    """The display name. Default: the slug."""
    kind: ResourceKind = "table"
    """The kind of resource."""
    zone: stored_line(100) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """The part of the venue that it is in: `window`, `upstairs`."""
    seats_min: Seats = 1
    """The smallest party it takes on its own, guests."""
    seats_max: Seats = 4
    """The largest party it takes on its own, guests."""
    units: StrictInt = Field(default=1, ge=1, le=1000)
    """How many parties it takes at the same time, or guests if it `takes` guests."""
    takes: Literal["party", "guests"] = "party"
    """What takes a unit: the party, or each of its guests, such as at a counter with 8 stools."""
    group: Slug | None = None
    """Its type, such as `double-sea`. Resources of one type stand in for each other: a booking can ask for the type."""
    parts: tuple[Slug, ...] = Field(default=(), max_length=PARTS_MAX)
    """The resources that it is made of, by slug: a hall of two courts. Who books it takes all of its parts, and while a
    part is taken it can't be booked. Three levels at most."""
    buffer_before_minutes: BufferMinutes | None = None
    """Minutes before a booking that its claim also covers; null: the policy's."""
    buffer_after_minutes: BufferMinutes | None = None
    """Minutes after a booking that its claim also covers; null: the policy's."""
    attributes: Annotated[dict[str, JsonValue], AfterValidator(_small)] = Field(
        default_factory=dict,
        json_schema_extra=free_form(ATTRIBUTES_BYTES_MAX),
    )
    """Any other data, at most 4096 bytes of JSON."""
    position: Position | None = None
    """Its position on the floor plan."""
    sort_order: StrictInt = Field(
        default=0,
        ge=-SORT_ORDER_MAX,
        le=SORT_ORDER_MAX,
        json_schema_extra=_without_default,
    )
    """Lists are ordered by this number, then by slug, with numbers in slugs as numbers. Default: its place in the
    document, from 0; for one that is added to a venue, the largest there."""
    active: StrictBool = True
    """False: it exists, but can't be booked."""
    hours: Hours | None = None
    """Its own hours, which replace all of the venue's; null: the venue's."""
    minimum_spend: Amount | None = None
    """What a party has to spend here, in the venue's currency, as a decimal string. It is no part of the price."""
    adjacent: tuple[
        Annotated[Adjacent, BeforeValidator(_neighbour, json_schema_input_type=Adjacent | Slug)], ...
    ] = Field(default=(), max_length=100)
    """Neighbours it can be combined with: slugs, or objects with slug and seats_lost. It is enough if one of the two
    names the other."""

    @model_validator(mode="after")
    def _seats_in_order(self) -> ResourceDocument:
        if self.seats_min > self.seats_max:
            problem = f"must be at most seats_max ({self.seats_max})"
            refuse("ResourceDocument", [Problem(("seats_min",), self.seats_min, problem)])
        if self.takes == "guests" and self.seats_max > self.units:
            problem = f"must be at most units ({self.units}): each guest takes one"
            refuse("ResourceDocument", [Problem(("seats_max",), self.seats_max, problem)])
        return self


def _in_this_order(resources: tuple[ResourceDocument, ...]) -> tuple[ResourceDocument, ...]:
    return tuple(with_order(each, place) for place, each in enumerate(resources))


def with_order(resource: ResourceDocument, place: int) -> ResourceDocument:
    """Returns the resource with that `sort_order`, unless it was given one."""
    if "sort_order" in resource.model_fields_set:
        return resource
    return resource.model_copy(update={"sort_order": place})


class VenueDocument(Rule):
    """A complete venue. Everything but slug, name, timezone and resources has a default."""

    slug: Slug
    """Its name in URLs; unique within the tenant."""
    name: stored_line(200)  # pyright: ignore[reportInvalidTypeForm]
    """The display name."""
    kind: str = Field(default="restaurant", pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    """The kind of venue: restaurant, bowling, hotel, nightclub, ..."""
    timezone: Zone
    """The IANA time zone of all its wall times."""
    currency: Currency = "EUR"
    """The currency of all its prices, ISO 4217."""
    policy: Policy = Policy()
    """Its rules for bookings."""
    hours: Hours = Hours()
    """When it is open. Default: always."""
    slots: tuple[Slot, ...] = Field(default=(), max_length=200)
    """Its named time windows. Without any, each opening day is one slot `day`."""
    questions: tuple[Question, ...] = Field(default=(), max_length=QUESTIONS_MAX)
    """What it asks of those who book, in this order."""
    stay: StayTimes | None = None
    """When guests come and go, if it sells nights. Opening days are then the dates of nights for sale."""
    resources: Annotated[tuple[ResourceDocument, ...], AfterValidator(_in_this_order)] = Field(
        max_length=RESOURCES_MAX
    )
    """What can be reserved there, at most 5000 resources."""

    @model_validator(mode="after")
    def _holds_together(self) -> VenueDocument:
        refuse(
            "VenueDocument",
            [
                *_repeated("slots", "id", [each.id for each in self.slots]),
                *_repeated("questions", "id", [each.id for each in self.questions]),
                *_repeated("resources", "slug", [each.slug for each in self.resources]),
                *self._lost_neighbours(),
                *problems_of_parts(self.resources),
                *(problems_of_types(self.resources) if self.policy.bind_group != "at_once" else ()),
                *problems_of_held_back(self.policy.held_back, self.resources),
                *fractions(self._amounts(), self.currency, minor_units(self.currency)),
                *problems_of_slots(self.stay, self.slots),
            ],
        )
        return self

    @property
    def tz(self) -> ZoneInfo:
        """The time zone of the venue."""
        return ZoneInfo(self.timezone)

    def edges(self) -> dict[tuple[str, str], int]:
        """Which resources are joined: each pair of slugs once, in order -> seats lost."""
        found: dict[tuple[str, str], int] = {}
        for resource in self.resources:
            for other in resource.adjacent:
                low, high = sorted((resource.slug, other.slug))
                found[low, high] = max(found.get((low, high), 0), other.seats_lost)
        return found

    def _lost_neighbours(self) -> Iterator[Problem]:
        slugs = {each.slug for each in self.resources}
        for index, resource in enumerate(self.resources):
            for at, other in enumerate(resource.adjacent):
                where = ("resources", index, "adjacent", at)
                if other.slug == resource.slug:
                    yield Problem(where, other.slug, "can't be the resource itself: name another one")
                elif other.slug not in slugs:
                    yield Problem(where, other.slug, "must be the slug of a resource of this document")

    def _amounts(self) -> Iterator[tuple[tuple[str | int, ...], Decimal]]:
        """Yields all amounts of money in the document, each with its place."""
        for index, rule in enumerate(self.policy.price_rules):
            yield ("policy", "price_rules", index, "amount"), rule.amount
        for where, amount in amounts_of(self.policy.extras, self.policy.discounts):
            yield ("policy", *where), amount
        for index, resource in enumerate(self.resources):
            if resource.minimum_spend is not None:
                yield ("resources", index, "minimum_spend"), resource.minimum_spend


def parse_document(data: Any) -> VenueDocument:
    """Parses the document of a venue. Raises like `validated`."""
    return validated(VenueDocument, data)


def validated(model: type[M], data: Any, *, skip: int = 0) -> M:
    """Validates the data as the model. `skip`: how many leading parts to drop from the field names in errors.

    Raises `InvalidRequest` with one entry in `errors` for each problem.
    """
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        raise invalid_request(exc, skip=skip, model=model) from exc


def _repeated(field: str, key: str, values: Iterable[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value in first:
            problem = f"must differ from all others, but {field}.{first[value]}.{key} is the same"
            yield Problem((field, index, key), value, problem)
        first.setdefault(value, index)
