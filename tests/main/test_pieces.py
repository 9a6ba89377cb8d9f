"""Received bytes are cut where a head or a message ends, however they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.main.http.pieces import Pieces

LINE = b"\r\n\r\n"


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"GET / HTTP/1.1", LINE]), max_size=30), st.data()
)
def test_no_piece_goes_past_an_empty_line(parts: list[bytes], data: st.DataObject) -> None:
    """Nothing is lost, and whatever the reads are, an empty line is the end of its piece."""
    sent = b"".join(parts)
    pieces, found, left = Pieces(), list[bytes](), sent
    while left or pieces:
        if left and (not pieces or data.draw(st.booleans())):
            size = data.draw(st.integers(1, len(left)))
            pieces.add(left[:size])
            left = left[size:]
        if pieces:
            found.append(pieces.next(None))
    assert b"".join(found) == sent
    ends, at = set[int](), 0
    for piece in found:
        assert piece
        at += len(piece)
        ends.add(at)
    at = sent.find(LINE)
    while at >= 0:
        assert at + len(LINE) in ends
        at = sent.find(LINE, at + len(LINE))


@given(st.binary(min_size=1, max_size=50), st.integers(1, 60))
def test_a_body_of_known_length_ends_its_piece(sent: bytes, length: int) -> None:
    pieces = Pieces()
    pieces.add(sent)
    assert pieces.next(length) == sent[:length]
    assert len(pieces) == max(len(sent) - length, 0)
