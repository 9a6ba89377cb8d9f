"""Reads the extras and discount codes that bookings have taken."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from holdfast.booking.rules.sale import Sales
from holdfast.booking.states import OCCUPYING, UNDONE
from holdfast.booking.store import taken_of
from holdfast.booking.wanted import Prepared
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.span import Span

# LATERAL with OFFSET 0: one index probe for each span. Ordered like the index booking_with_extras.
EXTRAS_TAKEN = """
    SELECT b.venue_id, b.id, b.start_at, b.end_at, b.extras
      FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
           AS w (tenant_id, venue_id, start_at, end_at),
           LATERAL (SELECT venue_id, id, booking.start_at, booking.end_at, extras FROM booking
                     WHERE booking.tenant_id = w.tenant_id AND booking.venue_id = w.venue_id
                       AND booking.end_at > w.start_at AND booking.start_at < w.end_at AND extras <> '[]'
                       AND status = ANY ($5::text[]) AND (expires_at IS NULL OR expires_at > $6)
                       AND id IS DISTINCT FROM $7
                     ORDER BY booking.end_at OFFSET 0) AS b
"""

DISCOUNT_USES = """
    SELECT w.venue_id, w.code, b.uses
      FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (tenant_id, venue_id, code),
           LATERAL (SELECT count(*) AS uses FROM booking
                     WHERE booking.tenant_id = w.tenant_id AND booking.venue_id = w.venue_id
                       AND discount_code = w.code AND status <> ALL ($4::text[])
                       AND (expires_at IS NULL OR expires_at > $5) AND id IS DISTINCT FROM $6) AS b
"""


async def read_sales(tx: Tx, prepared: Collection[Prepared], *, but: UUID | None = None) -> Sales:
    """Returns what is taken of the extras and codes that these requests ask for. Without limits on them, it needs no
    query. Under the venues' locks, nobody else takes any meanwhile. `but`: a booking that does not count."""
    sales = Sales()
    spans = {(each.venue.tenant_id, each.venue.id, *each.span) for each in prepared if each.sale.stocked}
    codes = {
        (each.venue.tenant_id, each.venue.id, each.sale.discount.code)
        for each in prepared
        if each.sale.discount is not None and each.sale.discount.uses_max is not None
    }
    if spans:
        columns = [list(column) for column in zip(*spans, strict=True)]
        for row in await tx.fetch(EXTRAS_TAKEN, *columns, sorted(OCCUPYING), tx.now, but):
            key = plain_id(row["venue_id"]), plain_id(row["id"])
            sales.extras[key] = Span(row["start_at"], row["end_at"]), taken_of(row["extras"])
    if codes:
        columns = [list(column) for column in zip(*codes, strict=True)]
        for row in await tx.fetch(DISCOUNT_USES, *columns, list(UNDONE), tx.now, but):
            sales.uses[plain_id(row["venue_id"]), row["code"]] = row["uses"]
    return sales
