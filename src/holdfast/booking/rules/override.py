"""Rules that staff overrule: who may, and which of them would have refused the booking. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.booking.wanted import Overriding
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import Forbidden, HoldfastError
from holdfast.place.policies.overrides import ALL, OVERRULABLE
from holdfast.place.venue import Venue


@dataclass(slots=True)
class Overruled:
    """The rules that one request overrules. `hit`: those among them that would have refused it, in order."""

    codes: frozenset[str]
    hit: list[str] = field(default_factory=list[str])

    def check(self, rule: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Asks the rule, and notes its refusal if it is overruled. Otherwise raises it."""
        try:
            rule(*args, **kwargs)
        except HoldfastError as refusal:
            code = str(refusal.fields.get("rule", refusal.code))
            if code not in self.codes:
                raise
            if code not in self.hit:
                self.hit.append(code)


def check_rule(over: Overruled | None, rule: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Asks the rule. Its refusal is raised, unless it is overruled."""
    if over is None:
        rule(*args, **kwargs)
    else:
        over.check(rule, *args, **kwargs)


def overruled_by(asked: Overriding | None, actor: Actor, venue: Venue) -> Overruled | None:
    """Returns what the request overrules; None if nothing. Raises Forbidden, with `may_override`, unless the actor may
    overrule all of that."""
    if asked is None:
        return None
    if not actor.is_staff:
        raise Forbidden(
            "Overruling a rule is for the staff of the venue: omit override and override_reason.",
            needed_roles=["staff"],
            may_override=[],
        )
    allowed = may_override(actor, venue)
    if denied := [code for code in asked.codes if code not in allowed]:
        listing = ", ".join(allowed) or "none"
        raise Forbidden(
            f"You can't overrule {', '.join(denied)} here. What you can overrule: {listing}.",
            may_override=list(allowed),
        )
    return Overruled(frozenset(asked.codes))


def may_override(actor: Actor, venue: Venue) -> Sequence[str]:
    """Returns the codes of the rules that the actor may overrule at the venue."""
    policy = venue.policy.may_override
    allowed = {code for role in actor.roles for code in policy.of(role)}
    if ALL in allowed or actor.kind == "system":
        return OVERRULABLE
    return [code for code in OVERRULABLE if code in allowed]
