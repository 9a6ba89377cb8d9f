"""The words of the OpenAPI document that are not about one operation."""

from __future__ import annotations

TITLE = "Holdfast"
DESCRIPTION = """One booking engine for tables, lanes, rooms and sections that never books twice.

Instants are RFC 3339 with an offset, money is a decimal string beside its currency, ids are UUIDs.
Lists have `items` and `next`, the cursor of the next page. Unknown fields are refused. A change says which
version it saw, as `expected_version` or in `If-Match`. What can't be done is answered with a problem
(RFC 9457), whose `code` is for programs and whose `detail` says what would be right."""
TAGS = [
    {"name": "Venues", "description": "Places with their opening hours, rules and resources."},
    {"name": "Bookings", "description": "Reservations: search, hold, confirm, change, cancel."},
    {
        "name": "Series",
        "description": "Recurring bookings: previewed, created, changed and cancelled together.",
    },
    {"name": "Waitlist", "description": "Queueing for places that are taken; offers, which hold a place."},
    {"name": "Blocks", "description": "Time taken off the inventory, once or recurring. For staff."},
    {"name": "Live", "description": "Live changes: snapshots and streams."},
    {
        "name": "Events",
        "description": "All events, in commit order, and the reactions to them that failed.",
    },
    {"name": "Operations", "description": "For operators: health and metrics."},
]
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the configured issuer. Without one, only public data is accessible.",
}
# With or without a token: public data needs none.
SECURITY = [{}, {"bearer": []}]
