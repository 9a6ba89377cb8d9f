"""The reference of a booking, for people. Pure."""

from __future__ import annotations

from datetime import date
from uuid import UUID

REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no 0/O, 1/I/L, U
REFERENCE_CHARS = 6
RANDOM_BITS = (1 << 62) - 1  # the last 62 of a UUIDv7 are random (RFC 9562, 5.7)


def reference(id_: UUID, local_day: date) -> str:
    """Returns BR-YYYYMMDD-XXXXXX, with the local day of the visit."""
    return f"BR-{local_day.year}{local_day.month:02}{local_day.day:02}-{reference_code(id_)}"


def reference_code(id_: UUID) -> str:
    """Returns the random end of a reference: six of thirty unambiguous characters, 729 million per day and tenant.

    It is derived from the random bits of a UUIDv7, so that it needs no source of randomness of its own.
    """
    number, base = id_.int & RANDOM_BITS, len(REFERENCE_ALPHABET)
    return "".join([REFERENCE_ALPHABET[number // base**place % base] for place in range(REFERENCE_CHARS)])
