"""Models of the messages that streams send, for the AsyncAPI document. live/ws.py has what a WebSocket accepts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from holdfast.channel.state import State


class Message(BaseModel):
    """One message. Fields may be added: ignore those you don't know."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class OnChannel(Message):
    """Fields of every message about a channel."""

    channel: str = Field(description="The channel, by the name used to subscribe.")
    epoch: str = Field(description="Versions of different epochs can't be compared: fetch the state again.")
    version: int = Field(
        ge=0, description="The number of the last event on the channel; each event adds one."
    )


class AvailabilityUpdated(OnChannel):
    """The state of a resource in the slot, or its number of free units, changed. As staff receive it."""

    eventType: Literal["availability.updated"]
    sectionId: UUID = Field(description="The resource.")
    slotId: str
    date: date
    previousState: State
    newState: State
    unitsFree: int = Field(ge=0, description="Units that are free for all of the slot.")
    reason: str = Field(description="What happened.")
    updatedAt: datetime
    actor: str = Field(description="Who did it.")


class AvailabilityUpdatedForGuests(OnChannel):
    """The same as everybody else receives it: available or not. Both states may be equal; the version counts anyway."""

    eventType: Literal["availability.updated"]
    sectionId: UUID = Field(description="The resource.")
    slotId: str
    date: date
    previousState: Literal["available", "unavailable"]
    newState: Literal["available", "unavailable"]
    unitsFree: int = Field(ge=0, description="Units of which guests can book each for all of the slot.")
    reason: str | None = Field(description="Why it is unavailable; null if it is taken, or available.")
    updatedAt: datetime
    bookableFrom: datetime | None = Field(description="From when guests can book it; null: no more.")
    bookableUntil: datetime | None = Field(description="Until when guests can book it; null: no more.")


class Happened(OnChannel):
    """An event on a venue's bookings channel."""

    id: UUID = Field(description="The event's id, the same on all transports.")
    event_type: str
    timestamp: datetime
    actor: str
    venue_id: UUID
    payload: dict[str, JsonValue] = Field(description="What happened, by type.")


class Reset(OnChannel):
    """Your state of the channel is stale: fetch it again. The channel is at this version or later."""


# --- WebSocket only ---------------------------------------------------------------------------


class SocketEvent(OnChannel):
    """An event. `data`: the same as in a stream of server-sent events."""

    op: Literal["event"]
    cursor: str = Field(description="Subscribe with it as `after` to continue after this event.")
    type: str
    data: dict[str, Any]


class SocketReset(Reset):
    """The same as `reset` of server-sent events."""

    op: Literal["reset"]
    cursor: str


class At(Message):
    """The position of a channel."""

    epoch: str
    version: int = Field(ge=0)


class Subscribed(Message):
    """The channels are subscribed. Events missed since the cursor, if one was given, came before this message; the
    next ones come after these versions."""

    op: Literal["subscribed"]
    channels: dict[str, At]


class Pong(Message):
    """The answer to `ping`."""

    op: Literal["pong"]


class SocketError(Message):
    """The request failed. `code`, and the fields that say what would be right, are those of the API's problems."""

    model_config = ConfigDict(extra="allow")

    op: Literal["error"]
    code: str
    detail: str
