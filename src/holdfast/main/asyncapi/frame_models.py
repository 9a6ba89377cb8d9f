"""What streams send, as models, for the AsyncAPI document. What a WebSocket takes is in live/ws.py."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from holdfast.channel.state import State


class Message(BaseModel):
    """One message. Fields may be added: let pass what you don't know."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class OnChannel(Message):
    """What every message about a channel has."""

    channel: str = Field(description="The channel, by the name it was subscribed by.")
    epoch: str = Field(description="Versions of different epochs can't be compared: fetch the state anew.")
    version: int = Field(ge=0, description="The number of the last event on the channel: one more each.")


class AvailabilityUpdated(OnChannel):
    """A resource is in another state in the slot, or has another number of units free. As staff get it."""

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
    """The same as all others get it: available or not. Both states may be the same: the version still counts."""

    eventType: Literal["availability.updated"]
    sectionId: UUID = Field(description="The resource.")
    slotId: str
    date: date
    previousState: Literal["available", "unavailable"]
    newState: Literal["available", "unavailable"]
    unitsFree: int = Field(ge=0, description="Units that are free for all of the slot.")
    reason: str | None
    updatedAt: datetime


class Happened(OnChannel):
    """An event on a venue's channel of bookings."""

    id: UUID = Field(description="Of the event: the same in every way that events are told.")
    event_type: str
    timestamp: datetime
    actor: str
    venue_id: UUID
    payload: dict[str, JsonValue] = Field(description="What happened, by type.")


class Reset(OnChannel):
    """What you know of the channel is of no use any more: fetch the state anew. It is at this version or later."""


# --- the WebSocket alone ----------------------------------------------------------------------


class SocketEvent(OnChannel):
    """An event. `data`: what a stream of server-sent events would say."""

    op: Literal["event"]
    cursor: str = Field(description="Subscribe with it as `after` to go on behind this event.")
    type: str
    data: dict[str, Any]


class SocketReset(Reset):
    """The same as `reset` of server-sent events."""

    op: Literal["reset"]
    cursor: str


class At(Message):
    """Where a channel is."""

    epoch: str
    version: int = Field(ge=0)


class Subscribed(Message):
    """The channels are followed. What was missed since the cursor, if one was given, has come before this;
    what comes now is behind these versions."""

    op: Literal["subscribed"]
    channels: dict[str, At]


class Pong(Message):
    """The answer to `ping`."""

    op: Literal["pong"]


class SocketError(Message):
    """What was asked could not be done. `code`, and fields beside it that say what would be right, are those of
    the problems of the API."""

    model_config = ConfigDict(extra="allow")

    op: Literal["error"]
    code: str
    detail: str
