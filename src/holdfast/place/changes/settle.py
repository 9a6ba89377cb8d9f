"""The form in which a document is stored: each join once, exceptions by date, holidays that a document doesn't name."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.place.document import Adjacent, VenueDocument
from holdfast.place.opening.spans import Hours, HoursException


def settled(document: VenueDocument) -> VenueDocument:
    """Returns the document as it is read back after it was stored: a document that says the same is equal to it.

    Each join is at the neighbour whose slug sorts first, exceptions are in order of their dates, and dates whose
    exception is `removed` have none. Pure.
    """
    joined = _joined(document)
    resources = (
        each.model_copy(
            update={
                "adjacent": joined.get(each.slug, ()),
                "hours": None if each.hours is None else _settled_hours(each.hours),
            }
        )
        for each in document.resources
    )
    update = {"hours": _settled_hours(document.hours), "resources": tuple(resources)}
    return document.model_copy(update=update)


def _joined(document: VenueDocument) -> dict[str, tuple[Adjacent, ...]]:
    found: dict[str, tuple[Adjacent, ...]] = {}
    for (low, high), seats_lost in sorted(document.edges().items()):
        found[low] = (*found.get(low, ()), Adjacent(slug=high, seats_lost=seats_lost))
    return found


def _settled_hours(hours: Hours) -> Hours:
    ordered = _ordered(each for each in hours.exceptions if not each.removed)
    return hours if ordered == hours.exceptions else Hours(weekly=hours.weekly, exceptions=ordered)


def with_holidays(document: VenueDocument, before: VenueDocument) -> VenueDocument:
    """Returns the document with the holidays of the venue that it doesn't name: they were added by a call, and only
    a document that names their date changes or removes them. Raises ValidationError if these are too many."""
    named = {each.date for each in document.hours.exceptions}
    stay = [each for each in before.hours.exceptions if each.source == "holiday" and each.date not in named]
    if not stay:
        return document
    exceptions = _ordered((*document.hours.exceptions, *stay))
    hours = Hours(weekly=document.hours.weekly, exceptions=exceptions)
    return document.model_copy(update={"hours": hours})


def _ordered(exceptions: Iterable[HoursException]) -> tuple[HoursException, ...]:
    return tuple(sorted(exceptions, key=lambda each: each.date))
