"""Changes of venues over HTTP: carried out or only foreseen, and answered with what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query, Response

from holdfast.engine import Engine
from holdfast.kernel.actor import Actor, require_venue
from holdfast.kernel.http import answer
from holdfast.place.changes.amend import FORESEEN, Amended
from holdfast.place.changes.difference import CHANGES_MAX
from holdfast.place.kept import Kept

T = TypeVar("T")
DryRunQuery = Annotated[
    bool,
    Query(description="True: only say what would change, and which bookings would no longer fit."),
]
ZONE_NOTE = (
    "Bookings keep their instants, and the wall times and time zone they were made with. "
    "Only hours, slots and new bookings are in the new time zone."
)
TIME_NOTE = (
    "There was no time to look at all bookings, so some that no longer fit may be missing. "
    "Everything else is complete."
)


async def amended_venue(
    engine: Engine,
    actor: Actor,
    venue_id: UUID,
    verb: Callable[..., Awaitable[T]],
    *args: Any,
    dry_run: bool,
    **kwargs: Any,
) -> T:
    """Runs a verb that changes the venue, under its lock; as a dry run in a transaction that only reads. Returns the
    verb's value.

    Access is checked before it queues for the lock, so that nobody can delay changes to a venue of another tenant.
    """
    venue = await engine.places.known(venue_id)
    require_venue(actor, venue.tenant_id, venue_id)
    if dry_run:
        return await engine.read_at(actor, venue, verb, venue_id, *args, amending=FORESEEN, **kwargs)
    return await engine.change_rules(actor, venue, verb, *args, **kwargs)


async def consequences(engine: Engine, amended: Amended) -> dict[str, Any]:
    """Returns a `Consequences`. It looks at bookings after the change was committed: those made meanwhile by the old
    rules are among them."""
    before, after, changes = amended.before, amended.after, amended.changes
    listed = [each._asdict() for each in changes[:CHANGES_MAX]]
    found: list[dict[str, Any]] = []
    total, notes = 0, list[str]()
    if before is not None and any(map(_decides, changes)):
        unfit = await engine.fitting.lost(before.snapshot(), after.snapshot())
        found, total = unfit.listed, unfit.total
        notes += [] if total is not None else [TIME_NOTE]
        notes += [ZONE_NOTE] if before.document.timezone != after.document.timezone else []
    return {
        "changes": listed,
        "changes_total": len(changes),
        "bookings_that_no_longer_fit": found,
        "bookings_that_no_longer_fit_total": total,
        "notes": notes,
    }


def _decides(change: Any) -> bool:
    """Whether bookings could depend on it."""
    return change.path.partition(".")[0] in ("policy", "hours", "slots", "stay", "timezone", "resources")


async def dry_run_answer(engine: Engine, amended: Amended) -> Response:
    """Returns a `DryRun` as the response."""
    return answer({**await consequences(engine, amended), "problems": list(amended.problems)})


async def change_answer(
    engine: Engine,
    amended: Amended,
    show: Callable[[Kept], dict[str, Any]],
    *,
    dry_run: bool,
    status: int = 200,
) -> Response:
    """Returns the response to a change: what was changed, as `show` shows it, and what the change does.
    The ETag is the version that it shows, or the venue's."""
    if dry_run:
        return await dry_run_answer(engine, amended)
    shown = show(amended.after)
    version = shown.get("version", amended.after.version)
    return answer(shown | await consequences(engine, amended), status=status, version=version)
