"""Values that break what does not expect them, as raw JSON and as parts of addresses."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from typing import TypeVar
from urllib.parse import quote

T = TypeVar("T", str, bytes)

DIGITS = "9" * 400


def _quoted(texts: list[str]) -> list[bytes]:
    return [json.dumps(each, ensure_ascii=False).encode() for each in texts]


STRINGS = [
    "", "\0", "a\0b", "\x01", "\x1b[2J", "a\tb\nc", "\x7f", "\x85", "\u2028", "\u202egnp.exe", "\u2066a\u2069",
    "\ufffe", "\U0010ffff", "\ufeffa", "e\u0301" * 60, "👩‍👩‍👧", "=cmd|'/c calc'!A1", "'; DROP TABLE booking; --",
    "%00%ff", "../../etc/passwd", DIGITS, "x" * 70_000, "NaN", "0", "-1", "FREQ=DAILY;COUNT=" + DIGITS,
    "FREQ=WEEKLY;BYDAY=MO;UNTIL=99991231T235959Z", "Europe/../../etc/passwd",
]  # fmt: skip
INSTANTS = [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
    "0000-01-01T00:00:00Z",
    "2027-06-16T18:00:00+99:99",
    "2027-06-16T23:59:60Z",
    "2200-12-31T23:59:59-14:00",
]
DATES = ["0001-01-01", "9999-12-31", "0000-00-00", "2027-02-30", "2200-12-31", "2000-01-01", "99999-01-01"]

NUMBERS = [
    b"-1e400", b"0." + DIGITS.encode(), b"1e-400", b"Infinity", b"-Infinity", b"-0.0", b"-1", b"0",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"2147483648", b"9007199254740993",
    b'"1"',
]  # fmt: skip
RAW = [
    rb'"\ud800"', rb'"\udfff\ud800"', rb'"\u0000"', b'""', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"', DIGITS.encode(),
    b"-" + DIGITS.encode(), b"9" * 5000, b"1e400", b"NaN", b"-0", b"null", b"true", b"[]", b"{}",
    rb'{"\u0000": "\u0000"}', rb'{"\ud800": 1}', b'{"a": 1, "a": 2}', b"[" * 500 + b"]" * 500,
    b'{"a":' * 500 + b"1" + b"}" * 500,
]  # fmt: skip
"""JSON, or what some take for it."""
LISTS = [b"[" + b",".join([b'"a"'] * 10_000) + b"]", b"[null]", b"[[]]"]

BODIES = [
    b"", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"null", b"[]", b'"a"', b"0", b"{", b"\0", b"[" * 10_000,
    b'{"a":' * 10_000, b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"{" + b",".join(b'"%d":1' % each for each in range(10_000)) + b"}", b"a=1&b=2",
]  # fmt: skip
"""In place of a whole body."""

ENCODED = [
    "%00",
    "a%00b",
    "%ff",
    "%ed%a0%80",
    "%c0%80",
    "%0a",
    "%1b%5b2J",
    "%7f",
    "%e2%80%ae",
    "%25",
    "%2f",
    "+",
]
CURSORS = [
    b64encode(each.encode()).decode().rstrip("=")
    for each in (
        "-1",
        "1e9",
        "9" * 100,
        "٣",
        "\0",
        "ffffffff.0",
        "00000000.9223372036854775808",
        "zzzzzzzz.1",
        ".",
        "0.0.0",
    )
]
"""Cursors of lists and feeds are such."""
CHANNELS = [
    "availability:",
    "availability::::",
    "availability:{tenant}:{venue}:0001-01-01:day",
    "availability:{tenant}:{venue}:9999-12-31:day",
    "availability:{tenant}:{venue}:0000-00-00:day",
    "availability:{tenant}:{venue}:2027-W01-1:day",
    "availability:{tenant}:{venue}:{day}:\0",
    "availability:{tenant}:{venue}:{day}:day\n\nevent: reset",
    "availability:{tenant}:{venue}:{day}:" + "x" * 500,
    "availability:\0:\0:{day}:day",
    "availability:{tenant}:\u202e:{day}:day",
    "availability:" + "0" * 36 + ":" + "f" * 36 + ":{day}:day",
    "chain.bookings.",
    "chain.bookings.{tenant}.{venue}.",
    "chain.bookings.\0.\0",
    "chain.bookings.{tenant}.\x1b[2J",
]
"""Names of channels, at a venue of a tenant."""
IN_ADDRESSES = [
    *CURSORS,
    *ENCODED,
    *(quote(each[:4000], safe="") for each in [*STRINGS, *INSTANTS, *DATES] if each),
    "9" * 5000,
    "1e400",
    "-0",
    "true",
    "%5b%5d",
]
"""Percent-encoded, for paths and queries."""

IN_HEADERS = [
    b"", b"\x01", b"\x1b[2J", b"\x7f", b"\x85", b"\xff\xfe", b"\xc3\x28", b'"', b'""', b'"\x01"', b"W/", b"-1",
    b"0", b"1.5", b"\xb2", "٣".encode(), DIGITS.encode(), b"x" * 8000, b"%00", b"Bearer \xff",
    b"Bearer " + b"." * 5000, b"Bearer e30.e30.e30", b"Bearer " + b"[" * 5000, b"Basic Og==",
]  # fmt: skip


ALWAYS: frozenset[str | bytes] = frozenset(
    [
        *_quoted(["", "\0", "\x1b[2J", "\u202egnp.exe", INSTANTS[0], INSTANTS[2], DATES[0], DATES[1]]),
        *(rb'"\ud800"', rb'{"\u0000": "\u0000"}', b"null", b"1e400", DIGITS.encode(), b"-" + DIGITS.encode()),
        *ENCODED[:4],
        *(b"", b"\x01", b"\xff\xfe", DIGITS.encode()),
    ]
)
OF_KIND: Mapping[str, list[bytes]] = {
    "string": _quoted(STRINGS),
    "idn-email": _quoted(STRINGS),
    "date": _quoted(DATES),
    "date-time": _quoted(INSTANTS),
    "uuid": _quoted(STRINGS[:6]),
    "enum": _quoted(STRINGS[:6]),
    "integer": NUMBERS,
    "number": NUMBERS,
    "array": LISTS,
    "object": LISTS,
    "anything": _quoted(STRINGS) + NUMBERS,
}


def channels_at(tenant: str, venue: str, day: date) -> list[str]:
    """CHANNELS at that venue."""
    return [each.format(tenant=tenant, venue=venue, day=day) for each in CHANNELS]


class Values:
    """What is put into one place after another: all of ALWAYS into each, and of the others each into one of `every`."""

    def __init__(self, *, every: int = 8) -> None:
        self._every, self._places = every, 0

    def of_kinds(self, kinds: frozenset[str]) -> list[bytes]:
        """JSON for a place that may be of these kinds: of all kinds something, and more of its own."""
        more = [value for kind in sorted(kinds) for value in OF_KIND.get(kind, ())]
        return self._some([*RAW, *more])

    def in_addresses(self) -> list[str]:
        """For paths and queries, percent-encoded."""
        return self._some(IN_ADDRESSES)

    def in_headers(self) -> list[bytes]:
        return self._some(IN_HEADERS)

    def _some(self, values: list[T]) -> list[T]:
        self._places += 1
        others = [each for each in values if each not in ALWAYS]
        return [each for each in values if each in ALWAYS] + others[self._places % self._every :: self._every]
