"""Applies events to a snapshot, as a client does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.channel.told import Told
from holdfast.event.model import Committed
from holdfast.snapshot.take import Snapshot


class Gap(Exception):
    """The event is not the channel's next one: a client must fetch the snapshot again."""


@dataclass(frozen=True, slots=True)
class Board:
    """An availability channel as a subscriber sees it: the sections' states at one version."""

    epoch: str
    version: int
    sections: Mapping[UUID, Told]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Board:
        sections = {section.resource.id: section.told for section in snapshot.sections}
        return cls(snapshot.revision.epoch, snapshot.revision.version, sections)


def apply(board: Board, event: Committed, *, epoch: str) -> Board:
    """Returns the board after the event. `epoch`: the event's epoch as clients see it.

    An event that the board already includes changes nothing. One of a section that is not on the board advances the
    version only. Raises Gap.
    """
    if event.version is None or event.event.event_type != AVAILABILITY_UPDATED or epoch != board.epoch:
        raise Gap
    if event.version <= board.version:
        return board
    if event.version != board.version + 1:
        raise Gap
    payload = event.event.payload
    section_id = UUID(payload["section_id"])
    if section_id not in board.sections:
        return Board(board.epoch, event.version, board.sections)
    return Board(board.epoch, event.version, {**board.sections, section_id: Told.from_payload(payload)})


def differences(streamed: Board, read: Board) -> Iterable[tuple[UUID | None, object, object]]:
    """Yields (section, value as streamed, value as read) for each difference; section None: the versions differ."""
    if (streamed.epoch, streamed.version) != (read.epoch, read.version):
        yield None, streamed.version, read.version
    for section_id in streamed.sections.keys() | read.sections.keys():
        was_streamed, was_read = streamed.sections.get(section_id), read.sections.get(section_id)
        if was_streamed != was_read:
            yield section_id, was_streamed, was_read
