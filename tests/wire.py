"""Requests to the API as they go over the wire."""

from __future__ import annotations

from typing import Any

import orjson

from bench import load
from tests.conftest import House


def staff(house: House) -> str:
    """A token of Bob's."""
    return house.mint(house.tenant, ["staff"], "bob")


def post(
    path: str, body: dict[str, Any], *, token: str, key: str | None = None, method: str = "POST"
) -> bytes:
    """That request, with an idempotency key if one is given."""
    headers = f"Idempotency-Key: {key}\r\n" if key else ""
    return load.http(method, path, token=token, body=orjson.dumps(body), headers=headers)


def get(path: str, *, token: str) -> bytes:
    """A request that changes nothing."""
    return load.http("GET", path, token=token)


def book(house: House, *, token: str, key: str | None = None, **wanted: Any) -> bytes:
    """A booking for two, unless `wanted` says otherwise."""
    return post("/bookings", {"venue_id": house.venue_id, "party_size": 2, **wanted}, token=token, key=key)


def cancel(booking: dict[str, Any], *, token: str, key: str | None = None) -> bytes:
    return post(
        f"/bookings/{booking['id']}/cancel", {"expected_version": booking["version"]}, token=token, key=key
    )


def move(booking: dict[str, Any], to: str, *, token: str) -> bytes:
    body = {"to": to, "expected_version": booking["version"]}
    return post(f"/bookings/{booking['id']}/status", body, token=token)


def change(booking: dict[str, Any], *, token: str, key: str | None = None, **wanted: Any) -> bytes:
    body = {"expected_version": booking["version"], **wanted}
    return post(f"/bookings/{booking['id']}", body, token=token, key=key, method="PUT")
