"""Reads what guests, groups and addresses have booked, for the rules of fair use."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from holdfast.booking.rules.fair_use import Allowance, CountedBooking, Quota, Subject, Usage, quotas_of
from holdfast.booking.said import Asker
from holdfast.booking.states import TERMINAL, UNDONE
from holdfast.booking.store import READ_COLUMNS, from_row
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue

REACH = timedelta(days=8)
"""A week that a booking starts in, on whatever clock, reaches no further from it."""
FOR_EVER = datetime(3000, 1, 1, tzinfo=UTC)
FORGOTTEN_AFTER = REACH
"""When a booking has been over for so long, its week is over too, and no rule counts it any more."""
_COUNTED = """
    SELECT id, start_at, end_at, status <> ALL ($1::text[]) AS is_open, coalesce(expires_at, end_at) AS frees_at,
           greatest(1, jsonb_array_length(jsonb_path_query_array(
                items, '$[*] ? (!(@.is_cancelled == true))'))) AS things
      FROM {found} AS booking
     WHERE booking.tenant_id = w.tenant_id AND booking.venue_id = w.venue_id
       AND booking.end_at > w.from_at AND booking.start_at < w.to_at
       AND status <> ALL ($2::text[]) AND (expires_at IS NULL OR expires_at > $3)"""
_IN_TABLE = _COUNTED.replace("{found}", "booking")
_OF_GROUP = _COUNTED.replace(
    "{found}", "bookings_of_group(w.tenant_id, w.venue_id, w.name, w.from_at, w.to_at)"
)
# LATERAL with OFFSET 0: one index scan for each row asked about, in booking_by_guest, booking_by_group or
# booking_by_address. No booking is longer than 366 days (DURATION_MINUTES_LIMIT), so older ones need not be looked at.
USED = f"""
    WITH w AS (
        SELECT * FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
                      AS w (tenant_id, venue_id, per, name, from_at, to_at)
    )
    SELECT w.venue_id, w.per, w.name, b.*
      FROM w, LATERAL ({_IN_TABLE} AND guest_id = w.name
                       AND booking.start_at > w.from_at - interval '366 days' OFFSET 0) AS b
     WHERE w.per = 'guest'
     UNION ALL
    SELECT w.venue_id, w.per, w.name, b.*
      FROM w, LATERAL ({_OF_GROUP} OFFSET 0) AS b
     WHERE w.per = 'group'
     UNION ALL
    SELECT w.venue_id, w.per, w.name, b.*
      FROM w, LATERAL ({_IN_TABLE} AND booked_ip = w.name::inet OFFSET 0) AS b
     WHERE w.per = 'address'
"""

CHANGED = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = $1 AND id = $2"

Asked = tuple[Venue, Asker, Span]


async def read_usage(tx: Tx, asked: Iterable[Asked]) -> Usage:
    """Returns what counts for these requests, each for a booking that starts and ends within its span. Where no rule
    that counts binds them, it needs no query. Under the venues' locks, nobody else books any meanwhile."""
    bound = ((venue, quota, span) for venue, asker, span in asked for quota in quotas_of(venue, asker))
    return await read_counted(tx, bound)


async def read_counted(tx: Tx, asked: Iterable[tuple[Venue, Quota, Span]]) -> Usage:
    """Returns what counts for these quotas at these venues, as `read_usage` does."""
    usage, needed = Usage(), dict[tuple[UUID, UUID, Subject], Span]()
    for venue, (subject, rule), span in asked:
        if rule.counts:
            last = FOR_EVER if rule.open_bookings_max is not None else span.end + REACH
            around, key = Span(min(span.start - REACH, tx.now), last), (venue.tenant_id, venue.id, subject)
            known = needed.get(key, around)
            needed[key] = Span(min(known.start, around.start), max(known.end, around.end))
    if needed:
        rows = [(tenant, venue, *subject, *around) for (tenant, venue, subject), around in needed.items()]
        columns = [list(column) for column in zip(*rows, strict=True)]
        for row in await tx.fetch(USED, sorted(TERMINAL), sorted(UNDONE), tx.now, *columns):
            span = Span(row["start_at"], row["end_at"])
            counted = CountedBooking(span, row["is_open"], row["frees_at"], row["things"])
            subject = Subject(row["per"], row["name"])
            usage.put(plain_id(row["venue_id"]), [subject], plain_id(row["id"]), counted)
    return usage


async def allowance(
    tx: Tx, venue: Venue, asker: Asker, span: Span, *, but: UUID | None = None
) -> Allowance | None:
    """Returns what the asker may still book within the span; None if no rule binds them. `but`: a booking that is to be
    changed."""
    if not quotas_of(venue, asker):
        return None
    usage = await read_usage(tx, [(venue, asker, span)])
    if but is not None:
        for row in await tx.fetch(CHANGED, venue.tenant_id, but):
            usage.changed[but] = CountedBooking.of(from_row(row))
    return Allowance.of(venue, asker, usage, now=tx.now, but=but)


FORGET = """
    UPDATE booking SET booked_ip = NULL, booked_groups = '{}'
     WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM booking
            WHERE (booked_ip IS NOT NULL OR booked_groups <> '{}') AND end_at < $1
            ORDER BY end_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""


async def forget(tx: Tx, limit: int) -> int:
    """Forgets the addresses and groups of up to `limit` bookings that ended FORGOTTEN_AFTER ago: personal data that no
    rule needs any more. Returns the number forgotten."""
    return int((await tx.execute(FORGET, tx.now - FORGOTTEN_AFTER, limit)).split()[-1])
