"""The waitlist over HTTP. The routes decide nothing: they read the request, run a verb and write the response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.deciding.stays import time_of_stay
from holdfast.booking.routes.callers import address_of
from holdfast.booking.routes.creating import guest_of
from holdfast.booking.routes.fields import Answers, Key
from holdfast.booking.routes.parts import own_venue
from holdfast.booking.routes.requests import (
    MINUTES_MAX,
    NIGHTS_MAX,
    PARTY_MAX,
    Day,
    Instant,
    PartyBody,
    ResourceIds,
)
from holdfast.booking.rules.nights import check_nights, last_start
from holdfast.booking.wanted import When
from holdfast.kernel.actor import require_visible
from holdfast.kernel.body import Body, Problem, refuse
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind
from holdfast.kernel.http import Caller, answer, json_body, show_reply
from holdfast.kernel.ids import new_id
from holdfast.kernel.paging import AskedPage
from holdfast.place.opening.clock import minutes_between
from holdfast.place.routes.at_hand import Asked, AskedChange, EngineUsed, VenueInPath
from holdfast.place.venue import Venue
from holdfast.waitlist import lists, store
from holdfast.waitlist.answer import accept, decline, leave
from holdfast.waitlist.join import Joining, join
from holdfast.waitlist.lists import EntryView
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.shown import ENTRIES, ENTRY, as_json

router = APIRouter(tags=["Waitlist"])


class OfferExpired(HoldfastError):
    """The offer has expired: join the waitlist again."""

    # Field `expired_at`.
    kind = Kind.CONFLICT
    code = "OFFER_EXPIRED"


class _WindowBody(Body):
    """The fields that come before the guest's, in the OpenAPI document too."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    """The number of guests."""
    earliest: Instant | None = None
    """The earliest start that suits, RFC 3339 with an offset."""
    latest: Instant | None = None
    """The latest start that suits, RFC 3339 with an offset; at most 31 days after `earliest`."""
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    """Length of the visit in minutes. If omitted, the venue's default for the party size."""
    arrival: Day | None = None
    """The date of arrival, at a venue that sells nights. Alternative to `earliest` and `latest`."""
    departure: Day | None = None
    """The date of departure, with `arrival`."""
    nights: int | None = Field(default=None, ge=1, le=NIGHTS_MAX)
    """The number of nights, with `arrival`. Alternative to `departure`."""

    @model_validator(mode="after")
    def _one_window(self) -> _WindowBody:
        window, stay = {"earliest": self.earliest, "latest": self.latest}, (self.departure, self.nights)
        if self.arrival is None:
            problem = "is required (or arrival with nights or departure, at a venue that sells nights)"
            missing = [name for name, value in window.items() if value is None]
            refuse("JoinWaitlist", [Problem((name,), None, problem) for name in missing])
        if self.arrival is not None and (any(window.values()) or self.duration_minutes is not None):
            raise ValueError("give arrival with nights or departure, or earliest and latest, not both")
        if stay.count(None) != (1 if self.arrival is not None else 2):
            raise ValueError("give arrival with nights or departure, one of the two")
        return self

    def window(self, venue: Venue, *, is_staff: bool) -> tuple[datetime, datetime, int | None]:
        """Returns the earliest and the latest start, and the length in minutes if it is asked for. Raises
        InvalidRequest."""
        if self.earliest is not None and self.latest is not None:
            return self.earliest, self.latest, self.duration_minutes
        when = When(arrival=self.arrival, departure=self.departure, nights=self.nights)
        if venue.stay is None:
            raise InvalidRequest.of(
                "arrival", str(self.arrival), "is for venues that sell nights: give earliest and latest"
            )
        span, nights = time_of_stay(when, venue, is_staff=is_staff)
        check_nights(venue, nights)
        return span.start, last_start(venue, span), minutes_between(*span)


class JoinWaitlist(PartyBody, _WindowBody):
    """A party that waits for a place."""

    resource_ids: ResourceIds | None = None
    """The resources wanted, all of them. If omitted, any that seat the party."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""


class AcceptOffer(Body):
    """The acceptance of an offer. Nothing in it is needed, but answers that the venue requires."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"answers"})

    answers: Answers = Field(default_factory=dict)
    """Answers to the venue's questions, by id."""


@router.post(
    "/waitlist",
    operation_id="join_waitlist",
    summary="Join the waitlist",
    responses={201: ENTRY},
    status_code=201,
)
async def post_entry(
    request: Request, body: Annotated[JoinWaitlist, json_body(JoinWaitlist)], asked: AskedChange
) -> Response:
    """Join the queue of a venue. A place that becomes free is offered to the guest who has waited longest among those
    it fits."""
    actor = asked.actor
    venue = await asked.engine.places.bookable(actor, body.venue_id)
    earliest, latest, minutes = body.window(venue, is_staff=actor.is_staff)
    joining = Joining(
        id=new_id(),
        party_size=body.party_size,
        earliest=earliest,
        latest=latest,
        duration_minutes=minutes,
        resource_ids=body.resource_ids or (),
        preferences=body.preferred or ANYTHING,
        guest=guest_of(actor, body.guest()),
        ip=None if actor.is_staff else address_of(request),
    )
    key = asked.keyed(venue, "join", body, about="waitlist")
    done = await asked.engine.change_once(
        actor, venue, join, joining, key=key, show=as_json, traceparent=asked.traceparent
    )
    return show_reply(done.reply, status=201)


@router.get(
    "/waitlist/venue/{venue_id}",
    operation_id="list_waitlist",
    summary="List the waitlist of a venue",
    responses={200: ENTRIES},
)
async def get_of_venue(
    venue_id: VenueInPath,
    page: AskedPage,
    engine: EngineUsed,
    actor: Caller,
    status: EntryStatus | None = None,
) -> Response:
    """The venue's waitlist, in queue order. Staff only."""
    venue = await own_venue(engine, actor, venue_id)
    after = page.after(lists.BY_SEQ) or 0
    found = await engine.read_at(
        actor, venue, lists.of_venue, venue, status=status, after=after, limit=page.read_max
    )
    return page.answer(found, lambda view: as_json(view, venue), lists.BY_SEQ, lambda view: view.entry.seq)


@router.get(
    "/waitlist/{entry_id}",
    operation_id="get_waitlist_entry",
    summary="Read a waitlist entry",
    responses={200: ENTRY},
)
async def get_entry(entry_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """One entry, with its position, and with its offer while that is open."""
    view = await engine.read(actor, _read, entry_id)
    return _show(view, await engine.places.venue(view.entry.venue_id))


async def _read(tx: Tx, entry_id: UUID) -> EntryView:
    entry = await store.find(tx, entry_id)
    require_visible(entry, tx.actor, noun="entry")
    return await lists.view(tx, entry)


@router.post(
    "/waitlist/{entry_id}/accept",
    operation_id="accept_offer",
    summary="Accept an offer",
    responses={200: ENTRY},
)
async def post_accept(
    entry_id: UUID, body: Annotated[AcceptOffer, json_body(AcceptOffer)], asked: AskedChange
) -> Response:
    """Accept the offer: the hold becomes a booking. It needs the answers that a new booking would need; without them
    the offer stays open."""
    return await _answered(asked, entry_id, accept, body.answers)


@router.post(
    "/waitlist/{entry_id}/decline",
    operation_id="decline_offer",
    summary="Decline an offer",
    responses={200: ENTRY},
)
async def post_decline(entry_id: UUID, asked: AskedChange) -> Response:
    """Decline the offer: it is the next guest's turn."""
    return await _answered(asked, entry_id, decline)


@router.delete(
    "/waitlist/{entry_id}",
    operation_id="leave_waitlist",
    summary="Leave the waitlist",
    responses={200: ENTRY},
)
async def delete_entry(entry_id: UUID, asked: AskedChange) -> Response:
    """Leave the queue. An open offer is given back."""
    entry, venue = await _changed(asked, entry_id, leave)
    if entry.status is not EntryStatus.LEFT:
        moved(entry, EntryStatus.LEFT, now=entry.updated_at)  # raises: the outcome of its offer is final
    return _show(EntryView(entry, None, None), venue)


async def _answered(
    asked: Asked, entry_id: UUID, verb: Callable[..., Awaitable[Entry]], *more: Any
) -> Response:
    entry, venue = await _changed(asked, entry_id, verb, *more)
    if entry.offer_lapsed:
        assert entry.offer_expires_at is not None
        raise OfferExpired(expired_at=entry.offer_expires_at.astimezone(venue.tz).isoformat())
    return _show(EntryView(entry, None, None), venue)


async def _changed(
    asked: Asked, entry_id: UUID, verb: Callable[..., Awaitable[Entry]], *more: Any
) -> tuple[Entry, Venue]:
    """Runs the verb under the venue's lock and returns the entry. Checks access before it waits for the lock."""
    engine = asked.engine
    view = await engine.read(asked.actor, _read, entry_id)
    venue = await engine.places.venue(view.entry.venue_id)
    after = await engine.change(asked.actor, venue, verb, entry_id, *more, traceparent=asked.traceparent)
    return after, venue


def _show(view: EntryView, venue: Venue) -> Response:
    return answer(as_json(view, venue), version=view.entry.version)
