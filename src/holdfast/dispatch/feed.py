"""The events of a tenant for those who poll: in commit order, none left out, each page from a cursor."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from holdfast.dispatch import cursors
from holdfast.dispatch.purge import EVENTS_KEPT_DAYS
from holdfast.dispatch.store import event_of
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.events import Event, Position
from holdfast.kernel.tx import Tx
from holdfast.place.reach import own_tenant
from holdfast.place.tenant import Tenant

SCAN_MAX = 1_000
SCANS_MAX = 5
"""A page that leaves most events out looks through no more than SCAN_MAX * SCANS_MAX."""
BIGINT_MAX = 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})")
START_OVER = "leave `after` out to begin with the oldest event there is"


@dataclass(frozen=True, slots=True)
class Page:
    """Events, and the place to poll on from, which is there always."""

    tenant: Tenant
    events: list[Event]
    next: Position


def cursor_of(position: Position) -> str:
    """The place as clients carry it: opaque to them."""
    return base64.urlsafe_b64encode(f"{position.xid}.{position.seq}".encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> Position | None:
    """The place that a cursor names; None without one. Raises InvalidRequest."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", True).decode()
    except ValueError:
        text = ""
    match = _CURSOR.fullmatch(text)
    if match is None or max(map(int, match.groups())) > BIGINT_MAX:
        raise InvalidRequest.of("after", cursor[:40], f"give the `next` of an answer, or {START_OVER}")
    return Position(*map(int, match.groups()))


async def read_feed(
    tx: Tx, slug: str | None, *, after: Position | None, event_type: str | None, limit: int
) -> Page:
    """The events behind `after`, of the tenant named or the actor's own, that the actor may see.

    `event_type`: only these; with a dot at the end all that begin so (`booking.`). Fewer than `limit` do
    not mean that there are no more. Raises InvalidRequest for a place behind which events were purged,
    and what `own_tenant` raises.
    """
    tenant = await own_tenant(tx, slug)
    at, events = after or Position(), list[Event]()
    narrowed = event_type is not None or tx.actor.venue_ids is not None
    for _ in range(SCANS_MAX):
        scan = await _scan(tx, tenant, at, SCAN_MAX if narrowed else limit)
        if at > scan.end:
            raise InvalidRequest.of("after", cursor_of(at), f"is from another database: {START_OVER}")
        for place, event in scan.found:
            if len(events) == limit:
                break
            at = place
            if _is_wanted(tx, event, event_type):
                events.append(event)
        else:
            at = at if scan.is_full else scan.end
            if scan.is_full and len(events) < limit:
                continue
        break
    await _refuse_if_purged(tx, after)
    return Page(tenant, events, at)


@dataclass(frozen=True, slots=True)
class _Scan:
    """`horizon_xid`: where reading ends for now, the oldest transaction that is still open."""

    found: list[tuple[Position, Event]]
    horizon_xid: int
    is_full: bool

    @property
    def end(self) -> Position:
        """The last place in front of the horizon: who read all there is has read up to here."""
        return Position(self.horizon_xid - 1, BIGINT_MAX)


# The horizon comes along, also without any event: who has seen all up to it need not look there again.
SCAN = """
    SELECT h.horizon::text::bigint AS horizon, e.*
      FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) AS h
      LEFT JOIN LATERAL (
           SELECT event.xid::text::bigint AS xid, event.seq, event.id, event.tenant_id, event.event_type,
                  event.venue_id, event.subject_id, event.payload, event.actor, event.created_at,
                  event.traceparent, event.channel
             FROM event
            WHERE event.tenant_id = $1 AND (event.xid, event.seq) > ($2::text::xid8, $3::bigint)
              AND event.xid < h.horizon
            ORDER BY event.xid, event.seq
            LIMIT $4) AS e ON true
"""


async def _scan(tx: Tx, tenant: Tenant, after: Position, limit: int) -> _Scan:
    rows = await tx.fetch(SCAN, tenant.id, str(after.xid), after.seq, limit)
    found: list[tuple[Position, Any]] = [
        (Position(row["xid"], row["seq"]), event_of(row)) for row in rows if row["id"] is not None
    ]
    return _Scan(found, rows[0]["horizon"], len(found) == limit)


def _is_wanted(tx: Tx, event: Event, event_type: str | None) -> bool:
    if tx.actor.venue_ids is not None and event.venue_id not in tx.actor.venue_ids:
        return False
    if event_type is None:
        return True
    return event.event_type == event_type or (
        event_type.endswith(".") and event.event_type.startswith(event_type)
    )


async def _refuse_if_purged(tx: Tx, after: Position | None) -> None:
    # Afterwards: what was purged before the page was read shows now.
    if after is not None and after < await cursors.read(tx, cursors.PURGED):
        raise InvalidRequest.of(
            "after",
            cursor_of(after),
            f"is older than the {EVENTS_KEPT_DAYS} days that events are kept, so that some are gone: read what "
            f"you need to know anew, then {START_OVER}",
        )
