"""The public holidays of a country, from the `holidays` library. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import holidays

from holdfast.kernel.errors import InvalidRequest

NAME_CHARS_MAX = 100
"""The longest name of an exception."""
LISTED_MAX = 80
"""How many of the supported values an error message lists."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday; `names`: in the requested language, usually one."""

    on: date
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """All its names as one text, cut at NAME_CHARS_MAX characters."""
        return "; ".join(self.names)[:NAME_CHARS_MAX]


def holidays_of(
    country: str,
    *,
    years: Collection[int],
    subdivision: str | None = None,
    language: str | None = None,
) -> list[Holiday]:
    """Returns the public holidays of these years, ordered by date.

    `country`: ISO 3166 alpha-2; `subdivision`: the part of its ISO 3166-2 code after the hyphen; `language`: None for
    the country's own. Raises InvalidRequest with the supported values.
    """
    kind = _country(country)
    if subdivision is not None and subdivision not in kind.subdivisions:
        raise _unknown("subdivision", subdivision, kind.subdivisions, what=f"a subdivision of {country}")
    if language is not None and language not in kind.supported_languages:
        raise _unknown("language", language, kind.supported_languages, what=f"a language of {country}")
    # Without a language, the library would use the one of the process's environment.
    found = kind(years=sorted(years), subdiv=subdivision, language=language or kind.default_language)
    # A holiday may be observed on another day, which may be in the previous or the next year.
    return [Holiday(on, tuple(found.get_list(on))) for on in sorted(found) if on.year in years]


def chosen(found: Sequence[Holiday], names: Sequence[str]) -> list[Holiday]:
    """Returns the holidays that have one of the names, ignoring case. Raises InvalidRequest for an unknown name."""
    known = {name.casefold(): name for each in found for name in each.names}
    for name in names:
        if name.casefold() not in known:
            raise _unknown("names", name, sorted(known.values()), what="a holiday of those years")
    wanted = {name.casefold() for name in names}
    return [each for each in found if not wanted.isdisjoint(name.casefold() for name in each.names)]


def _country(code: str) -> Any:
    there = holidays.list_supported_countries(include_aliases=False)
    if code not in there:
        near = sorted(each for each in there if each[0] == code[:1]) or sorted(there)
        raise _unknown("country", code, near, what="the ISO 3166 code of a country")
    # getattr makes the library load the module of this country only; loading all would take a while.
    return getattr(holidays, code)


def _unknown(field: str, value: str, there: Sequence[str], *, what: str) -> InvalidRequest:
    if not there:
        return InvalidRequest.of(field, value, f"must be left out: there is no {what}")
    more = "" if len(there) <= LISTED_MAX else f" and {len(there) - LISTED_MAX} more"
    return InvalidRequest.of(field, value, f"must be {what}: {', '.join(there[:LISTED_MAX])}{more}")
