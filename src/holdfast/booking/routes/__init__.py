"""Bookings over HTTP. The routes decide nothing: they read what is asked, run a verb and write the answer."""

from fastapi import APIRouter

from holdfast.booking.routes import availability, changing, checking, creating, items, reading, walking_in

router = APIRouter(tags=["Bookings"])
for part in (creating, walking_in, checking, availability, reading, changing, items):
    router.include_router(part.router)
