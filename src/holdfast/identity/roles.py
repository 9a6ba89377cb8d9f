"""Authorization: what an actor may do, as pure functions for routes."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from holdfast.identity.claims import ROLES, Claims
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import Forbidden, InvalidRequest, Unauthenticated

# Approval roles are never implied: running the platform or a venue does not include security clearance.
IMPLIED = {
    "platform_admin": frozenset({"admin", "manager", "staff"}),
    "admin": frozenset({"manager", "staff"}),
    "manager": frozenset({"staff"}),
}
GUEST_ONLY = frozenset({"guest"})


def actor_of(claims: Claims, tenant_id: UUID | None) -> Actor:
    """Returns the actor that the token describes, with implied roles added.

    `tenant_id`: of the token's tenant; None if that tenant does not exist, and then the actor can access nothing. A
    platform administrator can access every tenant.
    """
    tenant_ids = () if tenant_id is None else (tenant_id,)
    return Actor(
        kind="guest" if claims.roles <= GUEST_ONLY else "staff",
        id=claims.subject,
        tenant_ids=None if "platform_admin" in claims.roles else tenant_ids,
        roles=expand(claims.roles),
        venue_ids=claims.venues,
        groups=claims.groups,
    )


def expand(roles: Iterable[str]) -> frozenset[str]:
    """Returns the roles with all that they imply: platform_admin > admin > manager > staff."""
    held = frozenset(roles)
    return held.union(*(IMPLIED.get(role, frozenset()) for role in held))


def require(actor: Actor, *roles: str) -> None:
    """Checks that the actor has at least one of the roles; `system` has all.

    Raises `Unauthenticated` for a caller without a token, otherwise `Forbidden` with the field `needed_roles`.
    """
    if not roles or not ROLES.issuperset(roles):
        raise ValueError(f"require() was called with roles that do not exist: {roles}")
    if actor.has_role(*roles):
        return
    if actor.kind == "anonymous":
        raise Unauthenticated
    raise Forbidden(f"This needs the role {' or '.join(roles)}.", needed_roles=list(roles))


def only_tenant(actor: Actor) -> UUID | None:
    """The tenant of an actor who names none; None for one without any. Raises `InvalidRequest` where it must be
    named."""
    if actor.tenant_ids is None or len(actor.tenant_ids) > 1:
        raise InvalidRequest.of("tenant", None, "is required: the slug of the tenant that this is for")
    return actor.tenant_ids[0] if actor.tenant_ids else None
