"""Sets up the hotels of a replay: each with a tenant, a venue and its rooms."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import VenueDocument, parse_document
from holdfast.place.import_venue import import_venue
from holdfast.place.opening.spans import DAY_MINUTES
from holdfast.place.policy import DURATION_MINUTES_LIMIT
from holdfast.place.venue import Venue
from holdfast.replay.plan import ZONE, Hotel, ReplayPlan

ADVANCE_DAYS_LIMIT: Final = 3_660
STEP_MINUTES: Final = 60
ROOM_TYPE: Final = "room_type"
"""The room attribute that bookings ask for."""
_TYPE_CHARS_MAX: Final = 90


async def open_hotels(
    engine: Engine, plan: ReplayPlan, *, run_id: str, at: datetime, late: bool = False
) -> dict[str, Venue]:
    """Creates the venues of the plan's hotels at the time `at`. Returns them by the hotel's name in the file.

    `late`: guests get their rooms at check-in; until then they have the promise of one of their type. `run_id`: up to
    20 lower-case letters and digits, unique among the replays into this database; the tenants' slugs end with it.
    Raises InvalidRequest if a tenant exists already or a hotel is too large.
    """
    opened: dict[str, Venue] = {}
    for name, hotel in plan.hotels.items():
        document = hotel_document(hotel, plan, late=late)
        call = engine.db.call(SYSTEM, now=at, own_clock=True, deadline_s=None)
        tenant = await call.run(create_tenant, f"{hotel.slug}-{run_id}", hotel.name)
        imported = await call.run(import_venue, document, tenant=tenant.slug)
        opened[name] = imported.kept.snapshot()
    return opened


def hotel_document(hotel: Hotel, plan: ReplayPlan, *, late: bool = False) -> VenueDocument:
    """Returns the venue's document: always open, one resource per room, sorted by type and number.

    Nothing happens automatically: the file says who came and who left, and its dates are long past, so a worker on the
    same database would mark everybody as a no-show at once.
    """
    policy = {
        "slot_step_minutes": STEP_MINUTES,
        # One day more than the file needs: bookings are made at noon but start at 15:00.
        "max_advance_days": min(plan.lead_days_max + 1, ADVANCE_DAYS_LIMIT),
        # One hour more, for the night in which the clocks go back.
        "duration_minutes_max": min(plan.nights_max * DAY_MINUTES + 60, DURATION_MINUTES_LIMIT),
        "default_duration_minutes": DAY_MINUTES,
        "combination_resources_max": 1,
        "auto_no_show": False,
        "auto_complete": False,
        "waitlist_enabled": False,
        "bind_group": "at_check_in" if late else "at_once",
    }
    return parse_document(
        {
            "slug": hotel.slug,
            "name": hotel.name,
            "kind": "hotel",
            "timezone": ZONE.key,
            "currency": "EUR",
            "policy": policy,
            "resources": _rooms(hotel, party_max=plan.party_max),
        }
    )


def group_of(hotel: Hotel, room_type: str) -> str:
    """Returns the slug of a type of the hotel; the file may call it anything."""
    return f"type-{[*hotel.room_types].index(room_type) + 1}"


def _rooms(hotel: Hotel, *, party_max: int) -> list[dict[str, Any]]:
    """Every room fits the largest party: the file says nothing about beds, and its hotels accepted them all."""
    named = [
        (room_type, f"{room_type[:_TYPE_CHARS_MAX]} {number}")
        for room_type, count in hotel.room_types.items()
        for number in range(1, count + 1)
    ]
    return [
        {
            "slug": f"room-{place}",
            "name": name,
            "kind": "room",
            "seats_max": max(party_max, 1),
            "attributes": {ROOM_TYPE: room_type},
            "group": group_of(hotel, room_type),
            "sort_order": place,
        }
        for place, (room_type, name) in enumerate(named, start=1)
    ]
