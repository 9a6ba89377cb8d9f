"""A change of a venue's own fields and rules; public holidays as date exceptions of its hours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.tx import Tx
from holdfast.place.document import parse_document
from holdfast.place.holidays_of import Holiday
from holdfast.place.kept import Kept
from holdfast.place.opening import HoursException, HoursSpan
from holdfast.place.reach import own_venue
from holdfast.place.rewrite import rewrite

YEARS_BACK_MAX = 1
YEARS_AHEAD_MAX = 10


async def change_venue(tx: Tx, venue_id: UUID, changes: Mapping[str, Any], *, expected_version: int) -> Kept:
    """The venue with these fields of its document changed: name, kind, timezone, currency, policy, hours,
    slots. Run it with the venue's lock.

    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` when the fields do not go together.
    """
    kept = await own_venue(tx, venue_id, expected_version=expected_version)
    document = parse_document({**dict(kept.document), **changes})
    return await rewrite(tx, kept, document, ids=kept.ids)


@dataclass(frozen=True, slots=True)
class WithHolidays:
    """The venue after it, and the holidays by what became of them: each is in one of the three."""

    venue: Kept
    added: list[Holiday]
    replaced: list[Holiday]
    kept: list[Holiday]


async def add_holidays(
    tx: Tx,
    venue_id: UUID,
    found: Sequence[Holiday],
    *,
    years: Collection[int],
    spans: tuple[HoursSpan, ...],
    replace: bool,
    expected_version: int,
) -> WithHolidays:
    """Adds an exception with those `spans` (none: closed) for each holiday. Run it with the venue's lock.

    A date that has an exception already keeps it, unless `replace`.
    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` for years that are not near.
    """
    _check_years(years, this_year=tx.now.year)
    before = await own_venue(tx, venue_id, expected_version=expected_version)
    exceptions = {each.date: each for each in before.document.hours.exceptions}
    there = [each for each in found if each.on in exceptions]
    added = [each for each in found if each.on not in exceptions]
    for each in [*added, *(there if replace else ())]:
        exceptions[each.on] = HoursException(date=each.on, closed=not spans, spans=spans, name=each.name)
    hours = {"weekly": before.document.hours.weekly, "exceptions": tuple(exceptions.values())}
    document = parse_document({**dict(before.document), "hours": hours})
    after = await rewrite(tx, before, document, ids=before.ids)
    return WithHolidays(after, added, there if replace else [], [] if replace else there)


def _check_years(years: Collection[int], *, this_year: int) -> None:
    first, last = this_year - YEARS_BACK_MAX, this_year + YEARS_AHEAD_MAX
    for year in years:
        if not first <= year <= last:
            raise InvalidRequest.of("years", year, f"must be {first} to {last}")
