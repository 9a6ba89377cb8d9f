"""The two statements that create a set of bookings: one reads what the decisions depend on, one writes the result.

They are built from parts that each noun provides, so that each noun still owns its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from holdfast.booking import queries, store
from holdfast.booking.deciding.decide import limits_of
from holdfast.booking.deciding.known import Known
from holdfast.booking.deciding.prepare import probes_of
from holdfast.booking.deciding.stays import from_now
from holdfast.booking.making.sales_store import read_sales
from holdfast.booking.making.usage_store import read_usage
from holdfast.booking.rules.holds import hold_quotas
from holdfast.booking.states import OCCUPYING
from holdfast.booking.store import Step
from holdfast.booking.wanted import NO_SALE, Prepared, Wanted
from holdfast.channel.store import maybe_open_from
from holdfast.claim.model import Claim, Occupancy, columns
from holdfast.claim.store import take_from
from holdfast.event.emit import emit_from
from holdfast.kernel.db import idempotency
from holdfast.kernel.db.idempotency import Reply
from holdfast.kernel.db.tx import Tx, encode_text, parse_locked
from holdfast.kernel.span import Span
from holdfast.pacing.limits import NONE, Arrivals, Window
from holdfast.place.opening.nights import shortest_reaches

# LATERAL with OFFSET 0 forces one index probe per input row, whatever the planner thinks of table sizes. Arrivals are
# ordered like the index by venue, so that the planner uses no other.
READ = f"""
    SELECT clock_timestamp() AS now,
           current_setting('holdfast.locked', true) AS locked,
           pg_current_xact_id()::text AS xid,
           (SELECT json_agg(json_build_array(v.id, v.rules_version))
              FROM unnest($1::uuid[], $2::uuid[]) AS k (tenant_id, id),
                   LATERAL (SELECT id, rules_version FROM venue
                             WHERE venue.tenant_id = k.tenant_id AND venue.id = k.id OFFSET 0) AS v) AS versions,
           (SELECT json_agg(json_build_array(i.tenant_id, i.key, i.code, i.body,
                                             encode(i.request_hash, 'hex'), i.expires_at))
              FROM unnest($3::uuid[], $4::text[]) AS k (tenant_id, key),
                   LATERAL (SELECT * FROM idempotency
                             WHERE idempotency.tenant_id = k.tenant_id AND operation = 'create'
                               AND idempotency.key = k.key OFFSET 0) AS i) AS replies,
           (SELECT json_agg(json_build_array(c.tenant_id, c.resource_id, c.unit, c.start_at, c.end_at,
                                             c.owner_id, c.owner_kind, c.expires_at, c.state,
                                             c.changed_by))
              FROM claims_overlapping($5::uuid[], $6::uuid[], $7::timestamptz[], $8::timestamptz[]) AS c
           ) AS claims,
           (SELECT json_agg(json_build_array(w.number, b.covers, b.parties))
              FROM unnest($9::uuid[], $10::uuid[], $11::timestamptz[], $22::timestamptz[], $23::text[], $24::text[])
                   WITH ORDINALITY AS w (tenant_id, venue_id, start_at, end_at, slot_id, sources, number),
                   LATERAL (SELECT sum(party_size) AS covers, count(*) AS parties FROM (
                            SELECT party_size FROM booking
                             WHERE booking.tenant_id = w.tenant_id AND booking.venue_id = w.venue_id
                               AND booking.start_at >= w.start_at
                               AND booking.start_at < w.end_at
                               AND (w.slot_id IS NULL OR booking.slot_id = w.slot_id)
                               AND (w.sources IS NULL OR booking.source = ANY (w.sources::text[]))
                               AND booking.status = ANY ($16::text[])
                               AND (expires_at IS NULL OR expires_at > coalesce($17, clock_timestamp()))
                             ORDER BY booking.start_at OFFSET 0) AS arriving) AS b
             WHERE b.covers IS NOT NULL) AS arrivals,
           (SELECT json_agg(json_build_array(h.tenant_id, 'guest:' || h.guest_id, b.open))
              FROM unnest($12::uuid[], $13::text[]) AS h (tenant_id, guest_id),
                   LATERAL (SELECT count(*) AS open FROM booking
                             WHERE booking.tenant_id = h.tenant_id AND booking.guest_id = h.guest_id
                               AND status = 'HELD' AND expires_at > coalesce($17, clock_timestamp())) AS b
           ) AS guest_holds,
           (SELECT json_agg(json_build_array(h.tenant_id, 'ip:' || host(h.ip), b.open))
              FROM unnest($14::uuid[], $15::inet[]) AS h (tenant_id, ip),
                   LATERAL (SELECT count(*) AS open FROM booking
                             WHERE booking.tenant_id = h.tenant_id AND booking.hold_ip = h.ip
                               AND status = 'HELD' AND expires_at > coalesce($17, clock_timestamp())) AS b
           ) AS ip_holds,
           (SELECT json_agg(venue_id) FROM (
                   {maybe_open_from("$18::uuid[], $19::uuid[], $20::date[], $21::date[]")}) AS o) AS maybe_open
"""


# For transactions that only read: it assigns no transaction id.
LOOK = READ.replace("pg_current_xact_id()", "pg_current_xact_id_if_assigned()")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read under the locks."""

    known: Known
    rules_versions: dict[UUID, int]
    replies: dict[tuple[UUID, str], Reply]
    expired_keys: list[tuple[UUID, str]]
    maybe_open: frozenset[UUID] = frozenset()
    """Venues that may have open availability channels around these days."""


async def look(tx: Tx, wanted: Sequence[Wanted], prepared: Sequence[Prepared]) -> Read:
    """Like `read`, for a transaction that writes nothing."""
    return await read(tx, wanted, prepared, sql=LOOK)


async def read(tx: Tx, wanted: Sequence[Wanted], prepared: Sequence[Prepared], *, sql: str = READ) -> Read:
    """Reads all of it in one round trip; if extras or codes are limited, up to two more, and one each for fair use and
    for arrivals of tonight. Sets `tx.xid`, and `tx.now` and `tx.locked` if they are not set yet."""
    paced = [
        *dict.fromkeys(
            (each.venue.tenant_id, each.venue.id, limit.window)
            for each in prepared
            for limit in limits_of(each)
        )
    ]
    days = {(each.venue.tenant_id, each.venue.id, _first_on(each), each.span.end.date()) for each in prepared}
    held = {who for each in prepared if each.wanted.hold for who, _ in hold_quotas(each.wanted, each.venue)}
    row = await tx.fetchrow(
        sql,
        *_transposed({(each.tenant_id, each.venue_id) for each in wanted}, 2),
        *_transposed({(each.tenant_id, each.key) for each in wanted if each.key is not None}, 2),
        *columns(probe for each in prepared for probe in probes_of(each)),
        [tenant_id for tenant_id, _, _ in paced],
        [venue_id for _, venue_id, _ in paced],
        [window.span.start for _, _, window in paced],
        *_transposed({(tenant, who[6:]) for tenant, who in held if who.startswith("guest:")}, 2),
        *_transposed({(tenant, who[3:]) for tenant, who in held if who.startswith("ip:")}, 2),
        list(OCCUPYING),
        tx.now,
        *_transposed(days, 4),
        [window.span.end for _, _, window in paced],
        [window.slot_id for _, _, window in paced],
        [window.sources_text for _, _, window in paced],
    )
    assert row is not None
    tx.now = tx.now or row["now"]
    tx.locked = tx.locked or parse_locked(row["locked"])
    tx.xid = row["xid"]
    found = _read(row, tx.now, paced)
    await _arriving_tonight(tx, prepared, found.known)
    if any(each.sale is not NO_SALE for each in prepared):
        found.known.sales = await read_sales(tx, prepared)
    bound = [each for each in prepared if each.venue.policy.fair_use]
    if bound:
        found.known.usage = await read_usage(
            tx, [(each.venue, each.wanted.asker, each.span) for each in bound]
        )
    return found


async def _arriving_tonight(tx: Tx, prepared: Sequence[Prepared], known: Known) -> None:
    """Adds who else arrives now, for stays whose night has begun: until the clock was read, nobody knew that it had."""
    for each in prepared:
        if each.wanted.nights is not None and (late := from_now(each, known.now)) is not each:
            windows = {limit.window for limit in limits_of(late)}
            new = {one for one in windows if (each.venue.id, one) not in known.arrivals}
            found = await queries.arriving(tx, each.venue, new, list(OCCUPYING)) if new else {}
            for window, sizes in found.items():
                known.arrivals[each.venue.id, window] = Arrivals(sum(sizes.values()), len(sizes))


def _transposed(rows: set[Any], width: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(width)]


def _read(row: Any, now: datetime, paced: Sequence[tuple[UUID, UUID, Window]]) -> Read:
    replies: dict[tuple[UUID, str], Reply] = {}
    expired: list[tuple[UUID, str]] = []
    for tenant, key, code, body, hash_, expires_at in orjson.loads(row["replies"] or "[]"):
        if datetime.fromisoformat(expires_at) <= now:
            expired.append((UUID(tenant), key))
        else:
            replies[UUID(tenant), key] = Reply(code, body, bytes.fromhex(hash_))
    known = Known(
        now=now,
        occupancy=Occupancy.of(map(_claim, orjson.loads(row["claims"] or "[]")), now=now),
        arrivals=dict.fromkeys(((venue_id, window) for _, venue_id, window in paced), NONE)
        | {
            paced[number - 1][1:]: Arrivals(covers, parties)
            for number, covers, parties in orjson.loads(row["arrivals"] or "[]")
        },
        holds={
            (UUID(tenant), who): open_holds
            for column in ("guest_holds", "ip_holds")
            for tenant, who, open_holds in orjson.loads(row[column] or "[]")
        },
    )
    versions = {UUID(venue): version for venue, version in orjson.loads(row["versions"] or "[]")}
    maybe_open = frozenset(map(UUID, orjson.loads(row["maybe_open"] or "[]")))
    return Read(known, versions, replies, expired, maybe_open)


def _first_on(each: Prepared) -> date:
    """The date, in UTC, of the first arrival that it may concern: who arrives before a night may need it too."""
    start = each.span.start
    return start.date() if each.venue.stay is None else (start - shortest_reaches(each.venue)).date()


def _claim(values: list[Any]) -> Claim:
    tenant, resource, unit, start, end, owner, kind, expires, state, changed_by = values
    return Claim(
        tenant_id=UUID(tenant),
        resource_id=UUID(resource),
        unit=unit,
        span=Span(datetime.fromisoformat(start), datetime.fromisoformat(end)),
        owner_id=UUID(owner),
        owner_kind=kind,
        expires_at=None if expires is None else datetime.fromisoformat(expires),
        state=state,
        changed_by=changed_by,
    )


WRITE = f"""
    WITH replies AS ({idempotency.keep_from("$1")}
    ), bookings AS ({store.insert_from("$2")}
    ), claims AS ({take_from("$3")}
    ), history AS ({store.history_from("$4")}
    ), {emit_from("$5")}
    SELECT
"""


async def write(
    tx: Tx, *, steps: Sequence[Step], claims: Sequence[Claim], replies: Sequence[idempotency.Row]
) -> None:
    """Writes everything that was decided, or raises the constraint's error and writes nothing."""
    if not steps and not replies:
        return
    await tx.execute(
        WRITE,
        # Sorted the same way in every process: two sets at different venues may insert the same keys, and would
        # otherwise deadlock.
        encode_text(sorted(replies, key=lambda each: (each.tenant_id, each.key))),
        encode_text([store.row(step.booking) for step in steps]),
        encode_text([claim.row() for claim in claims]),
        encode_text([step.history() for step in steps]),
        tx.emitting([step.event() for step in steps]),
    )
