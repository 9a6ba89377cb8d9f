"""Tenants: adding and reading them."""

from __future__ import annotations

import pytest

from .conftest import Ask, Cast


async def test_a_platform_administrator_adds_a_tenant(ask: Ask, cast: Cast) -> None:
    slug = cast.nord.slug + "-two"
    answer = await ask(cast.platform, "POST", "/tenants", json={"slug": slug, "name": "Two"})
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert {name: answer.json()[name] for name in ("slug", "name", "version")} == {
        "slug": slug,
        "name": "Two",
        "version": 1,
    }
    assert (await ask(cast.platform, "GET", f"/tenants/{slug}")).json() == answer.json()


async def test_a_slug_that_is_taken_is_refused(ask: Ask, cast: Cast) -> None:
    answer = await ask(cast.platform, "POST", "/tenants", json={"slug": cast.nord.slug, "name": "Again"})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["field"], error["value"]) == ("slug", cast.nord.slug)


@pytest.mark.parametrize("slug", ["", "Nord", "-nord", "nord-", "no_rd", "a" * 64, "a\n"])
async def test_what_is_no_slug_is_refused(ask: Ask, cast: Cast, slug: str) -> None:
    answer = await ask(cast.platform, "POST", "/tenants", json={"slug": slug, "name": "N"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "slug"


async def test_others_add_none(ask: Ask, cast: Cast) -> None:
    body = {"slug": cast.nord.slug + "-x", "name": "X"}
    people = (cast.alice, cast.bob, cast.gina, cast.nobody)
    assert [(await ask(who, "POST", "/tenants", json=body)).status_code for who in people] == [
        403,
        403,
        403,
        401,
    ]


async def test_members_read_their_tenant_and_no_other(ask: Ask, cast: Cast) -> None:
    people = (cast.alice, cast.bob, cast.gina, cast.platform, cast.charlie, cast.nobody)
    found = [(await ask(who, "GET", f"/tenants/{cast.nord.slug}")).status_code for who in people]
    assert found == [200, 200, 200, 200, 404, 401]
    assert (await ask(cast.platform, "GET", "/tenants/nowhere")).status_code == 404
