"""What the domain can refuse, as classes with a code and fields. The domain does not know HTTP:
`main.http` maps codes to statuses."""

from __future__ import annotations

from typing import Any


class HoldfastError(Exception):
    """Something was refused.

    A subclass sets `code`; its docstring is the default message. Keyword fields travel with the
    answer: they say what would be right (`opening_hours`, `allowed`, `current_version`, ...).
    """

    code: str = "INTERNAL"

    def __init__(self, detail: str | None = None, /, **fields: Any) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        self.fields = fields
        super().__init__(self.detail)


class InvalidRequest(HoldfastError):
    """The request is malformed or out of range.

    Field `errors`: list of {field, value, problem}, one for each thing to put right.
    """

    code = "INVALID_REQUEST"

    @classmethod
    def of(cls, field: str, value: Any, problem: str) -> InvalidRequest:
        """One wrong field; `problem` says what is allowed."""
        return cls(f"{field}: {problem}", errors=[{"field": field, "value": value, "problem": problem}])


class NotFound(HoldfastError):
    """There is no such thing here, or it is not yours to see."""

    code = "NOT_FOUND"


class Unauthenticated(HoldfastError):
    """This needs a valid bearer token."""

    code = "UNAUTHENTICATED"


class Forbidden(HoldfastError):
    """Your roles do not allow this."""

    code = "FORBIDDEN"


class VersionConflict(HoldfastError):
    """Somebody changed this meanwhile: read it again and repeat the change with its current version."""

    code = "VERSION_CONFLICT"


class IdempotencyConflict(HoldfastError):
    """This idempotency key was used for another request: use a new key for a new request."""

    code = "IDEMPOTENCY_CONFLICT"


class Overloaded(HoldfastError):
    """The service can't take this right now, and nothing was done. Try again shortly with the same key."""

    code = "OVERLOADED"


class OutcomeUnknown(HoldfastError):
    """The database's answer to the commit was lost: this was either done in full or not at all. Try again with
    the same key to find out; without one, look before you try again."""

    code = "OUTCOME_UNKNOWN"
