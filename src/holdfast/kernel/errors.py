"""Refusals of the domain, as classes with a kind, a code and fields. The domain does not know HTTP: `kernel.http` maps
kinds to status codes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Any, ClassVar


class Kind(Enum):
    """The category of a refusal; it decides the HTTP status and whether to retry."""

    INVALID = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    MISSING = auto()
    CONFLICT = auto()
    TOO_MANY = auto()
    OVERLOADED = auto()
    UNKNOWN = auto()
    INTERNAL = auto()

    @property
    def is_final(self) -> bool:
        """True if repeating the request always gets the same answer. A conflict, in contrast, may go away."""
        return self in _FINAL


_FINAL = frozenset({Kind.INVALID, Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.MISSING})


class HoldfastError(Exception):
    """Something was refused.

    A subclass sets `kind` and `code`; its docstring is the default message. Keyword fields are part of the response and
    say what would be right (`opening_hours`, `allowed`, `current_version`, ...).
    `type_code`: shared by refusals that differ only in their code.
    """

    kind: Kind = Kind.INTERNAL
    code: str = "INTERNAL"
    type_code: str | None = None
    detail: str
    may_pass: ClassVar[bool] = False
    """Whether the refusal may go away by itself, whatever its kind."""
    _kinds: ClassVar[dict[str, Kind]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in cls.__dict__:
            cls._kinds[cls.code] = cls.kind

    def __init__(self, detail: str | None = None, /, **fields: Any) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        self.fields = fields
        super().__init__(self.detail)

    @property
    def is_final(self) -> bool:
        """True if repeating the request always gets the same answer."""
        return self.kind.is_final and not self.may_pass

    @property
    def passes_by_itself(self) -> bool:
        """Whether a client that waits may succeed, so that it is told how long to wait."""
        return True

    @classmethod
    def codes(cls) -> Iterable[str]:
        """Returns the codes that refusals of this class can have."""
        return (cls.code,)


def refusals() -> dict[str, type[HoldfastError]]:
    """Returns the classes of the product's refusals by their codes, sorted. Only modules that are imported count."""
    found: dict[str, type[HoldfastError]] = {}
    waiting: list[type[HoldfastError]] = HoldfastError.__subclasses__()
    for each in waiting:
        waiting += each.__subclasses__()
        if "code" in each.__dict__ and each.__module__.startswith("holdfast."):
            found |= dict.fromkeys(each.codes(), each)
    return dict(sorted(found.items()))


def kind_of(code: str) -> Kind:
    """Returns the kind of refusals with that code; INTERNAL for an unknown code."""
    return HoldfastError._kinds.get(code, Kind.INTERNAL)


class InvalidRequest(HoldfastError):
    """The request is malformed or out of range.

    Field `errors`: list of {field, value, problem}, one for each thing to put right.
    """

    kind = Kind.INVALID
    code = "INVALID_REQUEST"

    @classmethod
    def of(cls, field: str, value: Any, problem: str) -> InvalidRequest:
        """Returns the refusal for one wrong field; `problem` says what is allowed."""
        return cls(f"{field}: {problem}", errors=[{"field": field, "value": value, "problem": problem}])

    def within(self, path: str) -> InvalidRequest:
        """Returns the same refusal, of fields that are inside of `path`."""
        errors = [{**each, "field": f"{path}.{each['field']}"} for each in self.fields["errors"]]
        return InvalidRequest(f"{path}.{self.detail}", **{**self.fields, "errors": errors})


class NotFound(HoldfastError):
    """There is no such thing here, or it is not yours to see."""

    kind = Kind.MISSING
    code = "NOT_FOUND"


class Unauthenticated(HoldfastError):
    """This needs a valid bearer token."""

    kind = Kind.UNAUTHENTICATED
    code = "UNAUTHENTICATED"


class Forbidden(HoldfastError):
    """Your roles do not allow this."""

    kind = Kind.FORBIDDEN
    code = "FORBIDDEN"


class VersionConflict(HoldfastError):
    """Somebody changed this meanwhile: read it again and repeat the change with its current version."""

    kind = Kind.CONFLICT
    code = "VERSION_CONFLICT"


class IdempotencyConflict(HoldfastError):
    """This idempotency key was used for another request: use a new key for a new request."""

    kind = Kind.CONFLICT
    code = "IDEMPOTENCY_CONFLICT"


class Overloaded(HoldfastError):
    """The service can't take this right now, and nothing was done. Try again shortly with the same key."""

    kind = Kind.OVERLOADED
    code = "OVERLOADED"


class OutcomeUnknown(HoldfastError):
    """The database's answer to the commit was lost: this was either done in full or not at all. Try again with
    the same key to find out; without one, look before you try again."""

    kind = Kind.UNKNOWN
    code = "OUTCOME_UNKNOWN"
