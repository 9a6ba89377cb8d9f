"""Where the hotel data set is, for the tests that need all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def data_file() -> Path:
    """`HOLDFAST_HOTEL_DATA`, or its place beside the repository; it need not be there."""
    named = os.environ.get("HOLDFAST_HOTEL_DATA")
    here = Path(__file__).resolve().parents[3] / "shared" / "data" / "hotel_bookings.csv.gz"
    return Path(named) if named else here


needs_data = pytest.mark.skipif(
    not data_file().exists(), reason="the hotel data set is not beside the repository"
)
