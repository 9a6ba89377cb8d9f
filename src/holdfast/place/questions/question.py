"""What a venue asks of those who book: allergies, an occasion, a licence plate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictBool, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import stored_line
from holdfast.place.opening.spans import Rule

QUESTIONS_MAX, CHOICES_MAX, TEXT_CHARS_MAX = 50, 100, 500


class Question(Rule):
    """A question of a venue, and the bookings it is asked for. A condition that is left out is met by every booking."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["allergies"])
    """Lower-case letters, digits, - and _. Answers are stored under it, so a question that means something else needs
    another one."""
    label: stored_line(200)  # pyright: ignore[reportInvalidTypeForm]
    """The question, as people read it."""
    type: Literal["text", "choice", "number", "date", "consent"] = "text"
    """What answers it: up to 500 characters, one of the choices, a number, a date, or true or false."""
    required: StrictBool = False
    """Whether whoever is asked has to answer. A consent has to be true then."""
    choices: tuple[stored_line(100), ...] = Field(default=(), max_length=CHOICES_MAX)  # pyright: ignore[reportInvalidTypeForm]
    """The answers to choose from, of a question of type `choice`."""
    asked_of: Literal["guests", "staff"] = "guests"
    """Who is asked. Staff may answer what guests are asked, and may leave it out; only staff answer what staff are
    asked."""
    kinds: tuple[stored_line(50), ...] | None = Field(default=None, min_length=1, max_length=20)  # pyright: ignore[reportInvalidTypeForm]
    """Kinds of resource. At least one of the booking's resources is of one of these."""
    groups: tuple[stored_line(100), ...] | None = Field(default=None, min_length=1, max_length=100)  # pyright: ignore[reportInvalidTypeForm]
    """Groups. At least one of the booking's resources is in one of these."""
    slots: tuple[stored_line(63), ...] | None = Field(default=None, min_length=1, max_length=200)  # pyright: ignore[reportInvalidTypeForm]
    """Ids of slots. The booking is of one of these."""

    @model_validator(mode="after")
    def _choices_fit(self) -> Question:
        if (self.type == "choice") != bool(self.choices):
            problem = "are needed for a question of type choice, and for no other"
            refuse("Question", [Problem(("choices",), list(self.choices), problem)])
        return self
