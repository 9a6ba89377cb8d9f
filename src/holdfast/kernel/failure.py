"""Unexpected errors: what to log about them without their contents.

The text of an exception often quotes values (PostgreSQL's `Key (email)=(...)`), which can be personal data or secrets.
So only types and source locations are logged.
"""

from __future__ import annotations

import traceback

from holdfast.kernel.errors import HoldfastError, Kind

CAUSES_MAX = 5
FRAMES_MAX = 40


class InternalError(HoldfastError):
    """Something went wrong here that should not have; it was logged under the request id."""

    kind = Kind.INTERNAL
    code = "INTERNAL"


def reason(error: Exception) -> dict[str, str]:
    """Returns log fields that explain the error: a refusal's message, or for anything else its stack without values."""
    return {"error": error.detail} if isinstance(error, HoldfastError) else {"stack": stack_of(error)}


def stack_of(error: BaseException) -> str:
    """Returns exception types and source lines of the error and its causes, outermost call first."""
    told: list[str] = []
    current: BaseException | None = error
    while current is not None and len(told) < CAUSES_MAX:
        frames = "".join(traceback.format_tb(current.__traceback__, -FRAMES_MAX))
        told.append(f"{frames}{_name(current)}\n")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "caused by:\n".join(told)


def _name(error: BaseException) -> str:
    # PostgreSQL's own identifiers of the problem: they contain no data and often explain it.
    named = [getattr(error, name, None) for name in ("sqlstate", "constraint_name")]
    known = ", ".join(each for each in named if isinstance(each, str))
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{kind} ({known})" if known else kind
