from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from holdfast.kernel.errors import InvalidRequest
from holdfast.replay import file, stay
from holdfast.replay.file import read_stays
from holdfast.replay.stay import BadRow, Stay, read_row

from .rows import ROW, csv_text


def read(tmp_path: Path, text: str | bytes) -> list[Stay | BadRow]:
    path = tmp_path / "bookings.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_stays(path))


def one_stay(**changes: str) -> Stay:
    found = read_row(7, {**ROW, **changes})
    assert isinstance(found, Stay), found
    return found


def one_problem(**changes: str) -> str:
    found = read_row(7, {**ROW, **changes})
    assert isinstance(found, BadRow), found
    assert found.line == 7
    return f"{found.problem}: {found.value}"


def test_a_row_becomes_a_stay() -> None:
    assert one_stay() == Stay(
        line=7,
        hotel="City Hotel",
        room_type="A",
        booked_on=date(2015, 7, 1),
        arrival_on=date(2015, 7, 11),
        departure_on=date(2015, 7, 14),
        party_size=3,
        outcome="completed",
        ended_on=date(2015, 7, 14),
    )


def test_plain_and_packed_files_read_the_same(tmp_path: Path) -> None:
    text = csv_text({}, {"hotel": "Resort Hotel"}, {"reservation_status": "No-Show"})
    plain = read(tmp_path, text)
    assert [row.line for row in plain] == [2, 3, 4]
    assert read(tmp_path, gzip.compress(text.encode())) == plain


def test_columns_may_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    header, row = csv_text({}).splitlines()
    turned = ["\ufeff" + ",".join(["adr", *reversed(header.split(","))])]
    turned += [",".join(["75.5", *reversed(row.split(","))]), "", "   "]
    assert read(tmp_path, "\r\n".join(turned)) == read(tmp_path, csv_text({}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"stays_in_weekend_nights": "0", "stays_in_week_nights": "0"},
            "a stay of 0 nights: 0 weekend nights + 0 week nights",
        ),
        ({"stays_in_week_nights": "731"}, "a stay of more than 731 nights: 732"),
        ({"lead_time": "NULL"}, "lead_time is not a whole number from 0 to 3660: NULL"),
        ({"lead_time": "-1"}, "lead_time is not a whole number from 0 to 3660: -1"),
        ({"lead_time": "9" * 5_000}, f"lead_time is not a whole number from 0 to 3660: {'9' * 120}"),
        ({"adults": "²"}, "adults is not a whole number from 0 to 1000: ²"),
        ({"adults": "900", "children": "101"}, "a party of more than 1000: 1001"),
        ({"arrival_date_month": "Juli"}, "arrival_date_month is not the English name of a month: Juli"),
        ({"arrival_date_day_of_month": "0"}, "there is no such arrival date: 0 July 2015"),
        ({"arrival_date_year": "1815"}, "the arrival is before 1990: 1815-07-11"),
        (
            {"reservation_status": "Lost"},
            "reservation_status is not one of Check-Out, Canceled, No-Show: Lost",
        ),
        (
            {"reservation_status_date": "14/7/2015"},
            "reservation_status_date is not a date M/D/YYYY: 14/7/2015",
        ),
        ({"reservation_status_date": "NULL"}, "reservation_status_date is not a date M/D/YYYY: NULL"),
        ({"hotel": "NULL"}, "hotel is not given: NULL"),
        ({"reserved_room_type": " "}, "reserved_room_type is not given: "),
        ({"hotel": "a\0b"}, "hotel has characters that can't be printed: 'a\\x00b'"),
        ({"hotel": "x" * 121}, f"hotel is longer than 120 characters: {'x' * 120}"),
        (
            {"reservation_status": "Canceled", "reservation_status_date": "6/30/2015"},
            "it ended before it was booked: 2015-06-30 before 2015-07-01",
        ),
        (
            {"reservation_status_date": "7/10/2015"},
            "checked out before the arrival: 2015-07-10 before 2015-07-11",
        ),
    ],
)
def test_a_row_that_cannot_be_replayed_is_named(changes: dict[str, str], problem: str) -> None:
    assert one_problem(**changes) == problem


@pytest.mark.parametrize(
    ("changes", "party_size", "oddities"),
    [
        ({"adults": "0", "children": "0"}, 1, (stay.PARTY_OF_NOBODY,)),
        ({"children": "NA"}, 2, (stay.GUESTS_NOT_GIVEN,)),
        ({"adults": "NULL", "children": "NULL"}, 1, (stay.GUESTS_NOT_GIVEN, stay.PARTY_OF_NOBODY)),
        ({"reservation_status_date": "7/13/2015"}, 3, (stay.EARLY_CHECK_OUT,)),
        ({"reservation_status_date": "7/11/2015"}, 3, (stay.EARLY_CHECK_OUT, stay.SAME_DAY_CHECK_OUT)),
        ({"reservation_status_date": "7/20/2015"}, 3, (stay.LATE_END,)),
        ({"reservation_status": "No-Show", "reservation_status_date": "7/9/2015"}, 3, (stay.EARLY_NO_SHOW,)),
        ({"reservation_status": "Canceled", "reservation_status_date": "7/12/2015"}, 3, (stay.LATE_CANCEL,)),
        ({"reservation_status": "Canceled", "reservation_status_date": "7/11/2015"}, 3, ()),
        ({"assigned_room_type": "D"}, 3, (stay.OTHER_ROOM_TYPE,)),
    ],
)
def test_an_odd_row_is_read_and_says_so(
    changes: dict[str, str], party_size: int, oddities: tuple[str, ...]
) -> None:
    found = one_stay(**changes)
    assert (found.party_size, found.oddities, found.room_type) == (party_size, oddities, "A")


def test_a_damaged_line_spoils_only_itself(tmp_path: Path) -> None:
    good = csv_text({}).encode()
    damaged = b'"City Hotel,1\nshort,row\nCit\xff\xfe,1\n'
    rows = read(tmp_path, good + damaged + good.splitlines()[1])
    assert [type(row) for row in rows] == [Stay, BadRow, BadRow, BadRow, Stay]
    assert [row.value for row in rows if isinstance(row, BadRow)] == ["1", "2", "b'Cit\\xff\\xfe,1\\n'"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "its first line lacks all columns; the format is the hotel booking demand CSV"),
        (b"\x7fELF\xff\x00", "its first line is not text; the format is"),
        (csv_text({}).replace("lead_time", "lead").encode(), "its first line lacks lead_time; the format is"),
        (gzip.compress(csv_text({}).encode())[:-20], "its gzip data is damaged or truncated"),
        (b"\x1f\x8bnonsense", "its gzip data is damaged or truncated"),
        (csv_text({"hotel": "x" * file.LINE_BYTES_MAX}).encode(), "a line of more than 64 KiB"),
    ],
)
def test_another_format_is_refused_with_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(tmp_path, content)
    assert words in refused.value.detail
    assert refused.value.fields["errors"][0]["value"].endswith("bookings.csv")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InvalidRequest, match="it can't be read"):
            list(read_stays(path))


def test_rows_and_bytes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "ROWS_MAX", 2)
    assert len(read(tmp_path, csv_text({}, {}))) == 2
    with pytest.raises(InvalidRequest, match="more than 2 rows"):
        read(tmp_path, csv_text({}, {}, {}))
    monkeypatch.setattr(file, "FILE_BYTES_MAX", 10)
    with pytest.raises(InvalidRequest, match="it is larger than"):
        read(tmp_path, csv_text({}))
