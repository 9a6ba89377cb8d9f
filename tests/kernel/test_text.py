"""Which texts are text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from holdfast.kernel import text
from holdfast.kernel.text import (
    LINE_PATTERN,
    LINES_PATTERN,
    STORED,
    Email,
    email_address,
    line,
    lines,
    one_line,
    some_lines,
    stored_line,
)

PLAIN = [
    "Gina", "Åsa Öberg", "O'Neil-López, Jr.", "=SUM(A1)", "@gina", "+46", "שלום\u200f", "می\u200cخواهم",
    "👩\u200d👩\u200d👧", "a\xa0b",
]  # fmt: skip
NEVER = [
    "\0", "\x01", "\x1b[2J", "\x7f", "\x85", "\x9b", "\u202e", "\u2066", "\ufdd0", "\ufffe", "\U0001ffff", "\ud800",
]  # fmt: skip
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
ENDS_OF_LINES = ["a\nb", "a\tb", "a\r\nb", "a\u2028b"]


def is_taken(check: Callable[[str], str], text: str) -> bool:
    try:
        return check(text) == text
    except ValueError:
        return False


@pytest.mark.parametrize("text", PLAIN)
def test_names_of_all_scripts_are_text(text: str) -> None:
    assert is_taken(one_line, text)
    assert is_taken(some_lines, text)


@pytest.mark.parametrize("text", NEVER)
def test_what_is_no_text_is_refused_and_named(text: str) -> None:
    for check in (one_line, some_lines):
        with pytest.raises(ValueError, match=rf"U\+{ord(text[0]):04X} at 2$"):
            check(f"a {text}")


@pytest.mark.parametrize("text", ENDS_OF_LINES)
def test_a_note_has_lines_and_a_name_is_one(text: str) -> None:
    assert not is_taken(one_line, text)
    assert is_taken(some_lines, text)


def is_no_text(character: str) -> bool:
    """By the Unicode database."""
    is_noncharacter = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI or is_noncharacter


@given(st.text(st.characters(), max_size=5))
def test_nothing_else_is_refused(text: str) -> None:
    wrong = set(filter(is_no_text, text))
    assert is_taken(one_line, text) is (not wrong)
    assert is_taken(some_lines, text) is (not wrong - set("\t\n\r\u2028\u2029"))


@pytest.mark.parametrize(
    ("kind", "check", "pattern"), [(line, one_line, LINE_PATTERN), (lines, some_lines, LINES_PATTERN)]
)
def test_the_document_says_the_same(kind: Any, check: Callable[[str], str], pattern: str) -> None:
    assert TypeAdapter(kind(9)).json_schema() == {
        "type": "string",
        "minLength": 1,
        "maxLength": 9,
        "pattern": pattern,
    }
    for code in range(0xD800):
        assert bool(re.fullmatch(pattern, chr(code))) is is_taken(check, chr(code)), hex(code)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.se",
        "gina+table@mail.example.co.uk",
        "o'neil@x.ie",
        "åsa@exämple.se",
        "x" * 64 + "@a.se",
        "उपयोगकर्ता@डाटामेल.भारत",
    ],
)
def test_an_address_is_one(address: str) -> None:
    assert email_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "not-an-email", "a@b", "a b@c.se", "a@@b.se", "a@b@c.se", ".a@b.se", "a.@b.se", "a..b@c.se", "a@-b.se",
        "a@b-.se", "a@b..se", "a@b.se.", "x" * 65 + "@a.se", "å" * 33 + "@a.se", "a@" + "b" * 64 + ".se", "<a@b.se>",
        "a@b.se\n", "a@b.se,c@d.se", "mailto:a@b.se", '"a b"@c.se', "a@[127.0.0.1]", "a@127.0.0.1", "a@b_c.se",
        "a\u202e@b.se",
    ],
)  # fmt: skip
def test_what_no_mail_can_go_to_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail address|plain text"):
        email_address(address)


def test_an_address_has_254_characters_at_most() -> None:
    of = TypeAdapter(Email)
    domain = ".".join(["d" * 60] * 4)
    fits = "x" * (254 - len(domain) - 1) + "@" + domain
    assert of.validate_python(fits) == fits
    with pytest.raises(ValidationError, match="at most 254"):
        of.validate_python("x" + fits)


def test_what_is_stored_already_is_read() -> None:
    of, old = TypeAdapter(stored_line(9)), "a\x07b"
    assert of.validate_python(old, context=STORED) == old
    for raw in (old, json.dumps(old)):
        with pytest.raises(ValidationError, match=r"U\+0007|control"):
            of.validate_python(raw) if raw == old else of.validate_json(raw)


WORD = st.text("aZ09_+-", min_size=1, max_size=70)
LABEL = st.text("aZ09-", min_size=1, max_size=66)


@given(st.lists(WORD, min_size=1, max_size=3), st.lists(LABEL, min_size=1, max_size=3))
def test_what_is_usual_passes_the_full_check(words: list[str], labels: list[str]) -> None:
    address, usual = f"{'.'.join(words)}@{'.'.join(labels)}.se", text._USUAL
    if usual.fullmatch(address) is None:
        return
    text._USUAL = re.compile("(?!)")
    try:
        assert email_address(address) == address
    finally:
        text._USUAL = usual


def test_the_usual_is_usual() -> None:
    assert text._USUAL.fullmatch("ada.lovelace+club@mail.example-hotel.org")
