"""Who calls, as far as bookings are counted for them."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from fastapi import Request

from holdfast.booking.deciding.stays import began_of
from holdfast.booking.model import Booking
from holdfast.booking.said import Asker
from holdfast.kernel.actor import Actor
from holdfast.place.venue import Venue

UNKNOWN_ADDRESS = "0.0.0.0"


def address_of(request: Request) -> str:
    """Returns the address that the caller's bookings are counted under: an IPv4 address, or the /64 network of an IPv6
    address, since one customer usually has all of it. All callers without a valid address share one quota."""
    try:
        address = ip_address((request.state.client_ip or "").partition("%")[0])
    except ValueError:
        return UNKNOWN_ADDRESS
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False).network_address)


def asker_of(request: Request, venue: Venue, source: str, *, changed: Booking | None = None) -> Asker:
    """Returns who asks what can be booked at the venue. `changed`: a booking that they want to change, which counts for
    its own guest and address, and may keep its place."""
    actor: Actor = request.state.actor
    own = () if changed is None else changed.resource_ids
    began = None if changed is None else began_of(changed)
    if not venue.policy.fair_use:
        groups = frozenset[str]() if actor.is_staff else actor.groups
        return Asker(actor.is_staff, source, groups=groups, own=own, began=began)
    if changed is not None:
        guest_id, ip = changed.guest.id, changed.booked_ip
    else:
        guest_id = None if actor.is_staff or actor.kind == "anonymous" else actor.id
        ip = address_of(request)
    if actor.is_staff:
        return Asker(True, source, guest_id, own=own, began=began)
    return Asker(False, source, guest_id, actor.groups, ip, own, began)
