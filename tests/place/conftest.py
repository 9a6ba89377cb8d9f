"""The cast: Alice manages a tenant, Bob works there, Gina is its guest; Charlie manages another one and
must see nothing of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.identity.roles import expand
from holdfast.kernel.actor import ANONYMOUS, SYSTEM, Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.ids import new_id
from holdfast.place.create_tenant import create_tenant
from holdfast.place.kept import Tenant

Ask = Callable[..., Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Cast:
    """Who plays; each test has its own tenants."""

    nord: Tenant
    syd: Tenant
    alice: Actor
    bob: Actor
    gina: Actor
    charlie: Actor
    platform: Actor
    nobody: Actor

    def limited(self, *venue_ids: UUID) -> Actor:
        """Alice with a token for certain venues alone."""
        return replace(self.alice, venue_ids=frozenset(venue_ids))


CONSEQUENCES = {
    "changes",
    "changes_total",
    "bookings_that_no_longer_fit",
    "bookings_that_no_longer_fit_total",
    "notes",
}
"""What the answer to a change has beside the thing that was changed."""


def thing(answer: httpx.Response) -> dict[str, Any]:
    """What was changed, as reading it shows it."""
    body = answer.json()
    assert body.keys() >= CONSEQUENCES
    return {name: value for name, value in body.items() if name not in CONSEQUENCES}


@pytest.fixture
async def cast(db: Database) -> Cast:
    number = new_id().hex[-10:]
    nord = await db.run(SYSTEM, create_tenant, f"nord-{number}", "Nord")
    syd = await db.run(SYSTEM, create_tenant, f"syd-{number}", "Syd")
    return Cast(
        nord=nord,
        syd=syd,
        alice=_actor("alice", nord, "manager"),
        bob=_actor("bob", nord, "staff"),
        gina=replace(_actor("gina", nord, "guest"), kind="guest"),
        charlie=_actor("charlie", syd, "manager"),
        platform=Actor(kind="staff", id="root", tenant_ids=None, roles=expand({"platform_admin"})),
        nobody=ANONYMOUS,
    )


def _actor(name: str, tenant: Tenant, role: str) -> Actor:
    return Actor(kind="staff", id=name, tenant_ids=(tenant.id,), roles=expand({role}))


@pytest.fixture
def ask(client: httpx.AsyncClient, issuer: DevIssuer, cast: Cast) -> Ask:
    """One request by somebody, with a token of theirs: `await ask(cast.alice, "GET", "/venues")`."""
    slugs = {tenant.id: tenant.slug for tenant in (cast.nord, cast.syd)}

    def token(who: Actor) -> str:
        tenant = slugs[who.tenant_ids[0]] if who.tenant_ids else None
        venues = None if who.venue_ids is None else [str(each) for each in who.venue_ids]
        return issuer.mint(tenant, sorted(who.roles), who.id, venues)

    async def asked(who: Actor, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = dict(kwargs.pop("headers", {}))
        if who.kind != "anonymous":
            headers["authorization"] = f"Bearer {token(who)}"
        return await client.request(method, path, headers=headers, **kwargs)

    return asked


@pytest.fixture
def osteria() -> dict[str, Any]:
    """A restaurant's document, to be changed by the test."""
    return {
        "slug": "osteria-nord",
        "name": "Osteria Nord",
        "timezone": "Europe/Stockholm",
        "currency": "SEK",
        "policy": {"buffer_after_minutes": 10, "price_rules": [{"per": "guest", "amount": "95.50"}]},
        "hours": {
            "weekly": [{"days": ["FR", "SA"], "open": "18:00", "close": "02:00"}],
            "exceptions": [{"date": "2026-12-24", "closed": True}],
        },
        "slots": [{"id": "late", "name": "Late", "days": ["FR"], "start": "21:00", "minutes": 120}],
        "resources": [
            {"slug": "t1", "name": "T1", "zone": "window", "seats_max": 2, "adjacent": ["t2"]},
            {
                "slug": "t2",
                "seats_min": 2,
                "seats_max": 4,
                "position": {"x": 40, "y": 12.5, "shape": "round"},
            },
            {"slug": "bar", "kind": "section", "units": 10, "seats_max": 1, "attributes": {"stools": True}},
        ],
    }
