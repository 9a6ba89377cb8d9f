"""Wherever a path names a venue, the slugs of its tenant and itself do as well as its id."""

from __future__ import annotations

import pytest

from holdfast.kernel.ids import new_id

from .nord import Nord
from .rules import THEIRS

OF_A_VENUE = [operation for operation in THEIRS if "{venue_id}" in operation]


def named(operation: str, venue: str) -> str:
    return operation.partition(" ")[2].replace("{venue_id}", venue)


@pytest.mark.parametrize("operation", OF_A_VENUE)
async def test_a_venue_is_found_by_its_slugs(operation: str, roomy: Nord) -> None:
    owner = THEIRS[operation].owner
    response = await roomy.ask(operation, owner, alias=named(operation, roomy.place(".")))
    if operation.startswith("GET "):
        assert response.status_code == 200, response.text
        by_id = await roomy.ask(operation, owner)
        assert (response.json(), response.headers.get("etag")) == (by_id.json(), by_id.headers.get("etag"))
    else:
        # Whichever of these changes comes first makes the version of the others an old one.
        assert response.status_code in (200, 201, 409), response.text
        assert response.status_code != 409 or response.json()["code"] == "VERSION_CONFLICT"


@pytest.mark.parametrize("operation", OF_A_VENUE)
async def test_others_are_not(operation: str, roomy: Nord) -> None:
    owner = THEIRS[operation].owner
    tenant, slug = roomy.house.tenant, roomy.house.venue["slug"]
    for unknown in (f"{tenant}.nowhere", f"nobody.{slug}", f"{slug}.{tenant}", str(new_id())):
        response = await roomy.ask(operation, owner, alias=named(operation, unknown))
        assert response.status_code == 404, response.text
        assert response.json()["detail"] == f"There is no venue {unknown}."
    for wrong in (
        slug,
        f"{tenant}.",
        f"{tenant}.{slug}.x",
        f"{tenant}.{slug.upper()}",
        f"{tenant}:{slug}",
        "x" * 5000,
    ):
        response = await roomy.ask(operation, owner, alias=named(operation, wrong))
        assert response.status_code == 400, (wrong, response.text)
        [error] = response.json()["errors"]
        assert (error["field"], error["value"]) == ("venue_id", wrong[:40])
        assert "such as nordlek.boulehallen" in error["problem"]


@pytest.mark.parametrize("operation", OF_A_VENUE)
async def test_strangers_are_told_the_same(operation: str, roomy: Nord) -> None:
    rule = THEIRS[operation]
    for who, status in (("mallory", rule.mallory), ("anonymous", rule.anonymous)):
        response = await roomy.ask(operation, who, alias=named(operation, roomy.place(".")))
        assert response.status_code == (status or 200), response.text


def test_no_path_of_a_venue_is_left_out(openapi: dict[str, object]) -> None:
    paths: dict[str, dict[str, dict[str, list[dict[str, object]]]]] = openapi["paths"]  # type: ignore[assignment]
    for path, item in paths.items():
        for operation in item.values():
            for each in operation.get("parameters", ()):
                if each["in"] == "path" and each["name"] == "venue_id":
                    schema: dict[str, list[dict[str, str]]] = each["schema"]  # type: ignore[assignment]
                    assert [one.get("format") for one in schema["anyOf"]] == ["uuid", None], path
