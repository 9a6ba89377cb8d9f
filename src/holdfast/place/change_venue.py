"""A change of a venue's own fields and rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from holdfast.kernel.tx import Tx
from holdfast.kernel.validation import invalid_request
from holdfast.place.document import VenueDocument
from holdfast.place.kept import Kept
from holdfast.place.reach import own_venue
from holdfast.place.rewrite import rewrite


async def change_venue(tx: Tx, venue_id: UUID, changes: Mapping[str, Any], *, expected_version: int) -> Kept:
    """The venue with these fields of its document changed: name, kind, timezone, currency, policy, hours,
    slots. Run it with the venue's lock.

    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` when the fields do not go together.
    """
    kept = await own_venue(tx, venue_id, expected_version=expected_version)
    return await rewrite(tx, kept, changed(kept.document, changes), ids=kept.ids)


def changed(document: VenueDocument, changes: Mapping[str, Any], *, skip: int = 0) -> VenueDocument:
    """The document with other values in some fields, checked as a whole.

    Raises `InvalidRequest`; `skip` leaves that many leading parts out of the fields it names.
    """
    try:
        return VenueDocument.model_validate({**dict(document), **changes})
    except ValidationError as exc:
        raise invalid_request(exc, skip=skip) from exc
