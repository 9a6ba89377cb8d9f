"""Errors nobody foresaw: where they happened, for the log. Never what was in them.

The text of an exception often quotes values (PostgreSQL's `Key (email)=(...)`), and those can be
personal data or secrets. So only types and places are written down.
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
    """What a log line says of it: a refusal explains itself; of anything else one needs to know where it came from, but
    its text may quote data."""
    return {"error": error.detail} if isinstance(error, HoldfastError) else {"stack": stack_of(error)}


def stack_of(error: BaseException) -> str:
    """Types and lines of code of an exception and of what led to it, the outermost call first."""
    told: list[str] = []
    current: BaseException | None = error
    while current is not None and len(told) < CAUSES_MAX:
        frames = "".join(traceback.format_tb(current.__traceback__, -FRAMES_MAX))
        told.append(f"{frames}{_name(current)}\n")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "caused by:\n".join(told)


def _name(error: BaseException) -> str:
    # PostgreSQL's own names for what went wrong: safe, and often all one needs.
    named = [getattr(error, name, None) for name in ("sqlstate", "constraint_name")]
    known = ", ".join(each for each in named if isinstance(each, str))
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{kind} ({known})" if known else kind
