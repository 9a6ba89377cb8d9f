"""The actor: who performs an operation, and what it may see and touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from holdfast.kernel.errors import Forbidden, NotFound, Unauthenticated

GROUP_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
"""The name of a group of guests."""
STAFF_ROLES = frozenset({"staff", "manager", "admin"})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for which tenant, with which roles.

    `kind`: `guest` (signed in), `staff`, `anonymous` or `system` (ticks, commands, replay).
    `tenant_ids`: the tenants whose rows the actor's transactions can reach; `None` means all of
    them and is for `system` and platform administrators alone.
    `venue_ids`: the only venues the actor may touch; `None` means every venue of the tenants.
    `groups`: groups of guests that the actor is in, such as `members`; rules of a venue may name them.
    """

    kind: Literal["guest", "staff", "anonymous", "system"]
    id: str
    tenant_ids: tuple[UUID, ...] | None = ()
    roles: frozenset[str] = frozenset()
    venue_ids: frozenset[UUID] | None = None
    groups: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.kind if self.kind in ("system", "anonymous") else f"{self.kind}:{self.id}"

    @property
    def is_staff(self) -> bool:
        """True for people who work at the venue and for `system`: they see what guests don't."""
        return self.kind == "system" or bool(self.roles & STAFF_ROLES)

    def has_role(self, *roles: str) -> bool:
        """Returns whether the actor has at least one of the roles; `system` has all."""
        return self.kind == "system" or not self.roles.isdisjoint(roles)


SYSTEM = Actor(kind="system", id="system", tenant_ids=None)
ANONYMOUS = Actor(kind="anonymous", id="anonymous")
"""A caller without a token, who can reach only what is public."""


def can_touch_tenant(actor: Actor, tenant_id: UUID) -> bool:
    """Whether the actor belongs to the tenant; platform administrators and the system belong to all."""
    return actor.tenant_ids is None or tenant_id in actor.tenant_ids


def can_touch_venue(actor: Actor, tenant_id: UUID, venue_id: UUID) -> bool:
    """Returns whether the actor has access to the venue at all; roles decide what it may do there.

    If not, callers raise `NotFound`, as if the venue did not exist.
    """
    return can_touch_tenant(actor, tenant_id) and (actor.venue_ids is None or venue_id in actor.venue_ids)


def require_venue(actor: Actor, tenant_id: UUID, venue_id: UUID) -> None:
    """Passes for a venue within the actor's reach. Raises `NotFound`, in the words of one that there is not."""
    if not can_touch_venue(actor, tenant_id, venue_id):
        raise NotFound(f"There is no venue {venue_id}.")


class OfTenant(Protocol):
    """Something that belongs to a tenant, such as a venue."""

    @property
    def id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...


class Person(Protocol):
    """A guest; without an id, one who is not signed in."""

    @property
    def id(self) -> str | None: ...


class OfGuest(OfTenant, Protocol):
    """Something at a venue that belongs to a guest."""

    @property
    def venue_id(self) -> UUID: ...
    @property
    def guest(self) -> Person: ...


def require_visible(it: OfGuest, actor: Actor, *, noun: str = "booking") -> None:
    """Raises NotFound unless the actor may see it: what isn't theirs looks as if it did not exist."""
    if not is_visible(it, actor):
        raise NotFound(f"There is no {noun} {it.id}.")


def is_visible(it: OfGuest, actor: Actor) -> bool:
    """Returns whether the actor may see it: staff of its venue and its own guest may."""
    if actor.is_staff:
        return works_at(actor, it.tenant_id, it.venue_id)
    is_own = actor.kind != "anonymous" and it.guest.id == actor.id
    return is_own and actor.tenant_ids is not None and it.tenant_id in actor.tenant_ids


def works_at(actor: Actor, tenant_id: UUID, venue_id: UUID) -> bool:
    """Returns whether the actor is staff of that venue (or the system itself)."""
    return actor.is_staff and can_touch_venue(actor, tenant_id, venue_id)


def require_staff(actor: Actor, venue: OfTenant, *, named: str | None = None) -> None:
    """Raises Unauthenticated, Forbidden or NotFound unless the actor works at the venue. `named`: how the request
    named the venue, if not by its id."""
    if works_at(actor, venue.tenant_id, venue.id):
        return
    if actor.kind == "anonymous":
        raise Unauthenticated
    if not actor.is_staff and can_touch_venue(actor, venue.tenant_id, venue.id):
        raise Forbidden("This is for the staff of the venue.", needed_roles=["staff"])
    raise NotFound(f"There is no venue {named or venue.id}.")
