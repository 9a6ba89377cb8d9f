"""The part of a request that is about extras and discounts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from holdfast.kernel.body import Body

EXTRAS_MAX = 50
EXTRA_QUANTITY_MAX = 10_000


class ExtraBody(Body):
    """An extra that a booking takes."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """The id of an extra of the venue."""
    quantity: int | None = Field(default=None, ge=1, le=EXTRA_QUANTITY_MAX)
    """How many. Default: one for each guest if it is priced per guest, otherwise one."""


def _each_extra_once(value: tuple[ExtraBody, ...]) -> tuple[ExtraBody, ...]:
    if len({each.id for each in value}) != len(value):
        raise ValueError("must name each extra once: give its quantity")
    return value


class SaleBody(Body):
    """What a booking takes beside its place."""

    extras: Annotated[
        tuple[ExtraBody, ...], Field(max_length=EXTRAS_MAX), AfterValidator(_each_extra_once)
    ] = ()
    """Extras of the venue, with quantities."""
    discount_code: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    """A discount code of the venue. Capital and small letters are the same."""

    def taken(self) -> tuple[tuple[str, int | None], ...]:
        return tuple((each.id, each.quantity) for each in self.extras)
