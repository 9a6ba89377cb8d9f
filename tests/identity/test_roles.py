from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from holdfast.identity.claims import ROLES, Claims
from holdfast.identity.roles import actor_of, expand, require
from holdfast.kernel.actor import ANONYMOUS, SYSTEM, Actor, can_touch_venue
from holdfast.kernel.errors import Forbidden, Unauthenticated

NORD, CHARLIES = uuid4(), uuid4()
HALL, CELLAR = uuid4(), uuid4()


def bearer(*roles: str, venues: frozenset | None = None) -> Actor:
    claims = Claims(
        subject="bob",
        tenant="osteria-nord",
        roles=frozenset(roles),
        venues=venues,
        expires_at=0.0,
        issuer="holdfast-dev",
    )
    return actor_of(claims, NORD)


@pytest.mark.parametrize(
    ("role", "held"),
    [
        ("guest", {"guest"}),
        ("staff", {"staff"}),
        ("manager", {"manager", "staff"}),
        ("admin", {"admin", "manager", "staff"}),
        ("host_admin", {"host_admin"}),
        ("security_officer", {"security_officer"}),
        ("government_clearance", {"government_clearance"}),
        ("platform_admin", {"platform_admin", "admin", "manager", "staff"}),
    ],
)
def test_roles_include_the_lesser_ones(role: str, held: set[str]) -> None:
    assert expand([role]) == held
    assert bearer(role).roles == held


def test_expand_of_several_is_the_union_and_of_none_is_none() -> None:
    assert expand(["security_officer", "manager"]) == {"security_officer", "manager", "staff"}
    assert expand([]) == frozenset()


@pytest.mark.parametrize("role", sorted(ROLES))
def test_only_guests_are_of_the_kind_guest(role: str) -> None:
    assert bearer(role).kind == ("guest" if role == "guest" else "staff")
    assert bearer(role, "guest").kind == bearer(role).kind


@pytest.mark.parametrize("role", sorted(ROLES))
def test_only_the_platform_reaches_every_tenant(role: str) -> None:
    assert bearer(role).tenant_ids == (None if role == "platform_admin" else (NORD,))


def test_a_tenant_that_does_not_exist_is_no_tenant() -> None:
    claims = Claims(
        subject="bob",
        tenant="gone",
        roles=frozenset({"admin"}),
        venues=None,
        expires_at=0.0,
        issuer="x",
    )
    actor = actor_of(claims, None)
    assert actor.tenant_ids == ()
    assert not can_touch_venue(actor, NORD, HALL)


def test_require_lets_the_holder_of_any_of_the_roles_pass() -> None:
    require(bearer("staff"), "manager", "staff")
    require(bearer("admin"), "staff")
    require(SYSTEM, "platform_admin")


def test_require_names_the_roles_that_are_needed() -> None:
    with pytest.raises(Forbidden) as caught:
        require(bearer("staff"), "manager", "host_admin")
    assert caught.value.fields == {"needed_roles": ["manager", "host_admin"]}
    assert "manager or host_admin" in caught.value.detail


@pytest.mark.parametrize("step", ["host_admin", "security_officer", "government_clearance"])
def test_running_the_platform_does_not_clear_security(step: str) -> None:
    with pytest.raises(Forbidden):
        require(bearer("platform_admin", "admin"), step)


def test_require_asks_somebody_without_a_token_for_one() -> None:
    with pytest.raises(Unauthenticated):
        require(replace(ANONYMOUS, tenant_ids=(NORD,)), "guest")


@pytest.mark.parametrize("roles", [(), ("mangaer",)])
def test_require_of_no_such_role_is_a_mistake_of_the_route(roles: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="do not exist"):
        require(SYSTEM, *roles)


@pytest.mark.parametrize(
    ("actor", "reached"),
    [
        (bearer("staff"), {(NORD, HALL), (NORD, CELLAR)}),
        (bearer("staff", venues=frozenset({HALL})), {(NORD, HALL)}),
        (bearer("admin", venues=frozenset({HALL})), {(NORD, HALL)}),
        (bearer("staff", venues=frozenset()), set()),
        (bearer("guest"), {(NORD, HALL), (NORD, CELLAR)}),
        (bearer("platform_admin"), {(NORD, HALL), (NORD, CELLAR), (CHARLIES, HALL)}),
        (SYSTEM, {(NORD, HALL), (NORD, CELLAR), (CHARLIES, HALL)}),
        (ANONYMOUS, set()),
        (replace(ANONYMOUS, tenant_ids=(CHARLIES,)), {(CHARLIES, HALL)}),
    ],
)
def test_reach_is_the_tenant_and_the_allow_list(actor: Actor, reached: set) -> None:
    places = [(NORD, HALL), (NORD, CELLAR), (CHARLIES, HALL)]
    assert {place for place in places if can_touch_venue(actor, *place)} == reached


def test_anonymous_holds_no_role_and_is_not_staff() -> None:
    actor = replace(ANONYMOUS, tenant_ids=(NORD,))
    assert (actor.kind, actor.roles, actor.tenant_ids, actor.is_staff) == (
        "anonymous",
        frozenset(),
        (NORD,),
        False,
    )
