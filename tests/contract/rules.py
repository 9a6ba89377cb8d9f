"""What outsiders are answered, operation by operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What outsiders are answered; `None`: anybody may, for the reason given in `public`."""

    charlie: int | None
    mallory: int | None
    anonymous: int | None
    owner: str = "alice"
    public: str = ""


STAFF_ONLY = Rule(404, 403, 401)
OWN_BOOKING = Rule(404, 404, 404, owner="gina")
SHOWN = Rule(None, None, None, public="what a venue is and when it is open is for all to see")
# Other tenants' people are not guests here: they see what is free without their token.
BOOKABLE = Rule(404, None, None, public="guests, known or not, ask what is free and book")
REPEATED = Rule(404, None, 401, public="guests book series for themselves, and come back to them")
FOLLOWED = Rule(None, None, None, public="what is free is for all to see; who took it is for staff")
# Of his own tenant, as `test_what_charlie_...` sees.
LISTED = Rule(None, 403, 401, public="whoever works at a tenant reads what happened there")
OPERATED = Rule(None, None, None, public="for the operator's own tools; has nothing of any tenant")

THEIRS: Mapping[str, Rule] = {
    "POST /api/v1/bookings": BOOKABLE,
    "POST /api/v1/walk-ins": STAFF_ONLY,
    "POST /api/v1/bookings/availability/check": BOOKABLE,
    "GET /api/v1/venues/{venue_id}/availability/day": BOOKABLE,
    "GET /api/v1/venues/{venue_id}/availability/month": BOOKABLE,
    "GET /api/v1/venues/{venue_id}/availability/range": BOOKABLE,
    "GET /api/v1/bookings/reference/{reference}": OWN_BOOKING,
    # Charlie's own list of a guest of that name is empty.
    "GET /api/v1/bookings/guest/{guest_id}": Rule(None, 404, 401, owner="gina", public="as LISTED"),
    "GET /api/v1/bookings/venue/{venue_id}": STAFF_ONLY,
    "GET /api/v1/bookings/{booking_id}": OWN_BOOKING,
    "PUT /api/v1/bookings/{booking_id}": OWN_BOOKING,
    "GET /api/v1/bookings/{booking_id}/history": OWN_BOOKING,
    "POST /api/v1/bookings/{booking_id}/confirm": OWN_BOOKING,
    "POST /api/v1/bookings/{booking_id}/cancel": OWN_BOOKING,
    "POST /api/v1/bookings/{booking_id}/items/{item_id}/cancel": OWN_BOOKING,
    "POST /api/v1/bookings/{booking_id}/status": Rule(404, 404, 404),
    "POST /api/v1/series/preview": REPEATED,
    "POST /api/v1/series": REPEATED,
    "GET /api/v1/series": STAFF_ONLY,
    "GET /api/v1/series/{series_id}": OWN_BOOKING,
    "PATCH /api/v1/series/{series_id}": OWN_BOOKING,
    "POST /api/v1/series/{series_id}/cancel": OWN_BOOKING,
    "POST /api/v1/waitlist": BOOKABLE,
    "GET /api/v1/waitlist/venue/{venue_id}": STAFF_ONLY,
    "GET /api/v1/waitlist/{entry_id}": OWN_BOOKING,
    "DELETE /api/v1/waitlist/{entry_id}": OWN_BOOKING,
    "POST /api/v1/waitlist/{entry_id}/accept": OWN_BOOKING,
    "POST /api/v1/waitlist/{entry_id}/decline": OWN_BOOKING,
    "POST /api/v1/chain/maintenance-blocks": STAFF_ONLY,
    "GET /api/v1/chain/maintenance-blocks": STAFF_ONLY,
    "POST /api/v1/chain/maintenance-blocks/preview": STAFF_ONLY,
    "GET /api/v1/chain/maintenance-blocks/expanded": STAFF_ONLY,
    "GET /api/v1/chain/maintenance-blocks/{block_id}": STAFF_ONLY,
    "PATCH /api/v1/chain/maintenance-blocks/{block_id}": STAFF_ONLY,
    "DELETE /api/v1/chain/maintenance-blocks/{block_id}": STAFF_ONLY,
    "GET /api/v1/clubs/{tenant}/venues/{venue}/availability": FOLLOWED,
    "GET /api/v1/live": FOLLOWED,
    "GET /api/v1/events": LISTED,
    "GET /api/v1/dead-letters": LISTED,
    "GET /api/v1/dead-letters/{letter_id}": STAFF_ONLY,
    "POST /api/v1/dead-letters/{letter_id}/replay": STAFF_ONLY,
    "POST /api/v1/tenants": Rule(403, 403, 401, owner="root"),
    "GET /api/v1/tenants/{slug}": Rule(
        404, None, 401, public="a guest of the tenant knows whose guest it is"
    ),
    "POST /api/v1/venues/import": STAFF_ONLY,
    "GET /api/v1/venues": SHOWN,
    "GET /api/v1/venues/{venue_id}": SHOWN,
    "PATCH /api/v1/venues/{venue_id}": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/document": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/hours": SHOWN,
    "PUT /api/v1/venues/{venue_id}/hours": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/hours/effective": SHOWN,
    "POST /api/v1/venues/{venue_id}/hours/holidays": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/policy": SHOWN,
    "PUT /api/v1/venues/{venue_id}/policy": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/slots": SHOWN,
    "PUT /api/v1/venues/{venue_id}/slots": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/resources": SHOWN,
    "POST /api/v1/venues/{venue_id}/resources": STAFF_ONLY,
    "GET /api/v1/resources/{resource_id}": SHOWN,
    "PATCH /api/v1/resources/{resource_id}": STAFF_ONLY,
    "DELETE /api/v1/resources/{resource_id}": STAFF_ONLY,
    "GET /healthz": OPERATED,
    "GET /readyz": OPERATED,
    "GET /metrics": OPERATED,
}

OUTSIDE_THE_DOCUMENT = {
    "/": "leads to /docs",
    "/docs": "the page to try the API on",
    "/docs/assets/{path}": "its files",
    "/openapi.json": "the document itself",
    "/asyncapi.json": "the document of the live channels",
    "/api/v1/live/ws": "a WebSocket, which that document describes; tests/live asks it as outsiders",
}
"""Paths that are not in the OpenAPI document and no alias of one that is, and what they are for."""
