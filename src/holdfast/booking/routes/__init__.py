"""Bookings over HTTP. The routes decide nothing: they read what is asked, run a verb and write the answer."""

from fastapi import APIRouter

from holdfast.booking.routes import availability, changing, creating, reading

router = APIRouter(tags=["Bookings"])
for part in (creating, availability, reading, changing):
    router.include_router(part.router)
