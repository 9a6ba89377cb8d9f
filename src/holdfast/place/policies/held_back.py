"""What a venue holds back: resources, or a share of a type, that only some may book until shortly before the visit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Protocol

from pydantic import ConfigDict, Field, StrictInt, model_validator

from holdfast.kernel.actor import GROUP_PATTERN
from holdfast.kernel.body import Problem, refuse
from holdfast.place.opening.spans import DAY_MINUTES, Rule

WHOLE = 100
UNTIL_MINUTES_MAX = 3660 * DAY_MINUTES
Named = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class HeldBack(Rule):
    """Resources that are held back for some of those who book. Staff may book them all the same."""

    model_config = ConfigDict(serialize_by_alias=True)  # `for` is a word of Python's

    group: Named | None = None
    """A type of resources. Either this or `resources`."""
    resources: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=1000)
    """Resources, by slug."""
    share_percent: StrictInt = Field(default=WHOLE, ge=1, le=WHOLE)
    """The share of the type that is held back, percent of its resources that are in use: the last ones in the venue's
    order, rounded down, but at least one. Shares of one type never overlap: each takes the last ones that are left."""
    for_: str = Field(alias="for", pattern=f"^{GROUP_PATTERN}$")
    """Who may book them: bookings from this source, such as `walk_in`; or guests whose token names this group, such as
    `members`."""
    until_minutes: StrictInt = Field(default=0, ge=0, le=UNTIL_MINUTES_MAX)
    """Until so many minutes before a visit; from then on everybody may book them for it."""

    @model_validator(mode="after")
    def _names_one(self) -> HeldBack:
        if (self.group is None) == (self.resources is None):
            refuse("HeldBack", [Problem(("group",), self.group, "give either group or resources")])
        if self.resources is not None and self.share_percent != WHOLE:
            problem = "is a share of a group: omit it, or give group instead of resources"
            refuse("HeldBack", [Problem(("share_percent",), self.share_percent, problem)])
        return self


class HasGroup(Protocol):
    """A resource of a document."""

    @property
    def slug(self) -> str: ...
    @property
    def group(self) -> str | None: ...


def problems_of_shares(rules: Sequence[HeldBack]) -> Iterator[Problem]:
    """Yields shares of a type that add up to more than all of it."""
    taken: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.group is None or rule.share_percent == WHOLE:
            continue
        left = WHOLE - taken.get(rule.group, 0)
        if rule.share_percent > left:
            problem = f"must be at most {left}: shares of {rule.group} above take the rest"
            yield Problem(("held_back", index, "share_percent"), rule.share_percent, problem)
        taken[rule.group] = WHOLE - left + rule.share_percent


def problems_of_held_back(rules: Sequence[HeldBack], resources: Sequence[HasGroup]) -> Iterator[Problem]:
    """Yields types and resources that the document doesn't have."""
    slugs = {each.slug for each in resources} if rules else set[str]()
    groups = {each.group for each in resources} if rules else set[str | None]()
    for index, rule in enumerate(rules):
        where = ("policy", "held_back", index)
        if rule.group is not None and rule.group not in groups:
            yield Problem((*where, "group"), rule.group, "must be the group of a resource of this venue")
        for at, slug in enumerate(rule.resources or ()):
            if slug not in slugs:
                problem = "must be the slug of a resource of this venue"
                yield Problem((*where, "resources", at), slug, problem)


def renamed(rules: Sequence[HeldBack], before: str, after: str) -> tuple[HeldBack, ...]:
    """Returns the rules for a resource that has got another slug."""
    found = list[HeldBack]()
    for rule in rules:
        slugs = tuple(after if each == before else each for each in rule.resources or ())
        found.append(rule.model_copy(update={"resources": slugs}) if rule.resources else rule)
    return tuple(found)
