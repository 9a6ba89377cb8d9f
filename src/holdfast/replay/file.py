"""Reads a booking history in the hotel booking demand format, row by row.

Format and source: Antonio, de Almeida and Nunes, "Hotel booking demand datasets", Data in Brief 22 (2019) 41-49.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from holdfast.kernel.errors import InvalidRequest
from holdfast.replay.stay import BadRow, Stay, read_row

COLUMNS: Final = (
    "hotel",
    "lead_time",
    "arrival_date_year",
    "arrival_date_month",
    "arrival_date_day_of_month",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "babies",
    "reserved_room_type",
    "assigned_room_type",
    "reservation_status",
    "reservation_status_date",
)
"""The required columns, in any order; other columns are ignored."""

FILE_BYTES_MAX: Final = 512 * 1024 * 1024
ROWS_MAX: Final = 1_000_000
LINE_BYTES_MAX: Final = 64 * 1024
"""Rows and line lengths are limited after decompression: a small .gz may contain a very long text."""

FORMAT: Final = (
    "the format is the hotel booking demand CSV: UTF-8 text, plain or gzip, whose first line names the "
    f"columns, among them {', '.join(COLUMNS)}; then one booking per line, dates as M/D/YYYY"
)


def read_stays(path: Path) -> Iterator[Stay | BadRow]:
    """Yields each booking of the file in order, or what is wrong with its line; skips empty lines.

    Keeps only the current line in memory. Raises InvalidRequest, with the expected format, if the file does not exist,
    has another format, is damaged or exceeds a limit (`FILE_BYTES_MAX`, `ROWS_MAX`, `LINE_BYTES_MAX`); by then it may
    already have yielded some stays.
    """
    with _opened(path) as file:
        lines = _lines(path, file)
        header = _header(path, next(lines, b""))
        for number, line in enumerate(lines, start=2):
            if number > ROWS_MAX + 1:
                raise _wrong(path, f"it has more than {ROWS_MAX:,} rows: split it")
            if line.strip():
                yield _row(number, line, header)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _wrong(path, f"it is larger than {FILE_BYTES_MAX // 1024**2} MiB: split it")
        with path.open("rb") as plain:
            is_gzip = plain.peek(2)[:2] == b"\x1f\x8b"
            yield cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if is_gzip else plain
    except (gzip.BadGzipFile, EOFError, zlib.error) as damage:
        raise _wrong(path, f"its gzip data is damaged or truncated ({damage})") from damage
    except OSError as error:
        raise _wrong(path, f"it can't be read ({error.strerror or error})") from error


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LINE_BYTES_MAX + 1):
        if len(line) > LINE_BYTES_MAX:
            raise _wrong(path, f"it has a line of more than {LINE_BYTES_MAX // 1024} KiB; {FORMAT}")
        yield line


def _header(path: Path, line: bytes) -> list[str]:
    try:
        names = [name.strip() for name in _fields(line.removeprefix(b"\xef\xbb\xbf"))]
    except (UnicodeDecodeError, csv.Error):
        raise _wrong(path, f"its first line is not text; {FORMAT}") from None
    if missing := [column for column in COLUMNS if column not in names]:
        lacking = "all columns" if len(missing) == len(COLUMNS) else ", ".join(missing)
        raise _wrong(path, f"its first line lacks {lacking}; {FORMAT}")
    return names


def _row(number: int, line: bytes, header: list[str]) -> Stay | BadRow:
    try:
        fields = _fields(line)
    except (UnicodeDecodeError, csv.Error):
        return BadRow(number, "the line is not UTF-8 text", repr(line[:40]))
    if len(fields) != len(header):
        problem = f"the line does not have as many fields as the first line, {len(header)}"
        return BadRow(number, problem, str(len(fields)))
    return read_row(number, dict(zip(header, fields, strict=True)))


def _fields(line: bytes) -> list[str]:
    # Parsed line by line, so that a stray quotation mark affects only its own row and not all rows after it.
    return next(csv.reader((line.decode("utf-8").rstrip("\r\n"),)), [])


def _wrong(path: Path, problem: str) -> InvalidRequest:
    return InvalidRequest.of("file", str(path), problem)
