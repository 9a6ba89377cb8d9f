"""Which rules of a venue the roles of its staff may overrule."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from holdfast.place.opening.spans import Rule

Overrulable = Literal[
    "OUTSIDE_OPENING_HOURS",
    "OFF_SLOT_STEP",
    "TOO_SOON",
    "TOO_FAR_AHEAD",
    "PARTY_TOO_LARGE",
    "PARTY_TOO_SMALL",
    "PACING_EXCEEDED",
    "QUOTA_EXCEEDED",
    "DURATION_NOT_ALLOWED",
    "STAY_NOT_ALLOWED",
]
OVERRULABLE: tuple[Overrulable, ...] = get_args(Overrulable)
"""The codes of all rules that can be overruled. What is taken never can."""
ALL = "*"
Codes = tuple[Literal[Overrulable, "*"], ...]
STAFF_MAY: Codes = (
    "OUTSIDE_OPENING_HOURS",
    "OFF_SLOT_STEP",
    "TOO_SOON",
    "PARTY_TOO_LARGE",
    "PARTY_TOO_SMALL",
    "PACING_EXCEEDED",
    "DURATION_NOT_ALLOWED",
)


class MayOverride(Rule):
    """Which rules each role may overrule; `*` means all. A higher role may also overrule what a lower one may."""

    staff: Codes = Field(default=STAFF_MAY, max_length=20)
    """Staff."""
    manager: Codes = Field(default=(ALL,), max_length=20)
    """Managers."""
    admin: Codes = Field(default=(ALL,), max_length=20)
    """Administrators."""

    def of(self, role: str) -> Codes:
        """Returns the codes that this role may overrule, or `*`; nothing for other roles."""
        return {"staff": self.staff, "manager": self.manager, "admin": self.admin}.get(role, ())
