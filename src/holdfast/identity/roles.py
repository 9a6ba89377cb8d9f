"""What an actor may do, as pure questions that routes ask."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from holdfast.identity.claims import ROLES, Claims
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import Forbidden, Unauthenticated

# Approving is never implied: one who runs the platform or a venue does not thereby clear security.
IMPLIED = {
    "platform_admin": frozenset({"admin", "manager", "staff"}),
    "admin": frozenset({"manager", "staff"}),
    "manager": frozenset({"staff"}),
}
GUEST_ONLY = frozenset({"guest"})


def actor_of(claims: Claims, tenant_id: UUID | None) -> Actor:
    """The actor whom the token describes, with implied roles spelled out.

    `tenant_id`: what the token's tenant slug stands for; `None` if there is no such tenant, and
    then the actor reaches nothing. A platform administrator reaches every tenant.
    """
    tenant_ids = () if tenant_id is None else (tenant_id,)
    return Actor(
        kind="guest" if claims.roles <= GUEST_ONLY else "staff",
        id=claims.subject,
        tenant_ids=None if "platform_admin" in claims.roles else tenant_ids,
        roles=expand(claims.roles),
        venue_ids=claims.venues,
    )


def expand(roles: Iterable[str]) -> frozenset[str]:
    """The roles and all they include: platform_admin > admin > manager > staff."""
    held = frozenset(roles)
    return held.union(*(IMPLIED.get(role, frozenset()) for role in held))


def require(actor: Actor, *roles: str) -> None:
    """Nothing, if the actor holds one of the roles; `system` holds all.

    Raises `Unauthenticated` for somebody without a token, `Forbidden` with the field
    `needed_roles` for others.
    """
    if not roles or not ROLES.issuperset(roles):
        raise ValueError(f"require() was asked for roles that do not exist: {roles}")
    if actor.has_role(*roles):
        return
    if actor.kind == "anonymous":
        raise Unauthenticated
    raise Forbidden(f"This needs the role {' or '.join(roles)}.", needed_roles=list(roles))


def can_touch_venue(actor: Actor, tenant_id: UUID, venue_id: UUID) -> bool:
    """Whether the venue is within the actor's reach; what may be done there, the roles say.

    Where it is not, the answer is `NotFound`, as if there were no such venue.
    """
    in_tenant = actor.tenant_ids is None or tenant_id in actor.tenant_ids
    return in_tenant and (actor.venue_ids is None or venue_id in actor.venue_ids)
