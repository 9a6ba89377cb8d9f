"""A preview refuses what the request that it is for would refuse, also where it has no use for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.block import asking as blocks
from tests.booking.asking import refused
from tests.conftest import House
from tests.series import asking as series


@pytest.mark.parametrize("path", ["/series", blocks.PATH])
@pytest.mark.parametrize("preview", ["", "/preview"], ids=["itself", "preview"])
async def test_a_key_that_is_none_is_refused(house: House, path: str, preview: str) -> None:
    body: dict[str, Any] = series.wanted(house) if path == "/series" else blocks.wanted(house, "t1")
    headers = {**house.bob, "idempotency-key": "x" * 256}
    answer = await house.client.post(path + preview, json=body, headers=headers)
    assert refused(answer, 400, "INVALID_REQUEST")["errors"][0]["field"] == "Idempotency-Key"
