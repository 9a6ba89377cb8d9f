"""How many holds a guest or an address may have open. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from holdfast.booking.wanted import Wanted
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.place.venue import Venue


class TooManyHolds(HoldfastError):
    """This guest or address already has as many open holds as the venue allows.

    Fields `holds_max`, `retry_after_seconds`.
    """

    kind = Kind.TOO_MANY
    code = "TOO_MANY_HOLDS"


def check_holds(wanted: Wanted, venue: Venue, holds: Mapping[tuple[UUID, str], int]) -> None:
    """Raises TooManyHolds if another hold would exceed a quota. `holds`: the number of open holds by holder."""
    for who, most in hold_quotas(wanted, venue):
        if holds.get(who, 0) >= most:
            raise TooManyHolds(
                f"There are already {most} open holds for you here: confirm or cancel one, "
                f"or wait up to {venue.policy.hold_ttl_seconds} seconds for one to end.",
                holds_max=most,
                retry_after_seconds=venue.policy.hold_ttl_seconds,
            )


def hold_quotas(wanted: Wanted, venue: Venue) -> Iterator[tuple[tuple[UUID, str], int]]:
    """Yields the holders that a hold counts against, the guest and the IP address, each with its maximum.

    None for staff, who hold places for others all evening.
    """
    return iter(()) if wanted.actor.is_staff else hold_limits(wanted, venue)


def hold_limits(wanted: Wanted, venue: Venue) -> Iterator[tuple[tuple[UUID, str], int]]:
    if wanted.hold and wanted.guest.id is not None:
        yield (venue.tenant_id, f"guest:{wanted.guest.id}"), venue.policy.holds_per_guest_max
    if wanted.hold and wanted.ip is not None:
        yield (venue.tenant_id, f"ip:{wanted.ip}"), venue.policy.holds_per_ip_max
