"""What the waitlist refuses. Each message says what would be right."""

from __future__ import annotations

from holdfast.kernel.errors import HoldfastError


class WaitlistClosed(HoldfastError):
    """This venue has no waitlist: book a time that is free."""

    code = "WAITLIST_CLOSED"


class WaitlistFull(HoldfastError):
    """So many wait here already that nobody more is taken."""

    # Field `entries_max`. The docstring is what the guest reads.
    code = "WAITLIST_FULL"


class TooManyEntries(HoldfastError):
    """This guest or address already waits here as often as anybody may."""

    # Field `entries_max`.
    code = "TOO_MANY_ENTRIES"


class OfferExpired(HoldfastError):
    """The offer was not taken in time: join the waitlist again."""

    # Field `expired_at`.
    code = "OFFER_EXPIRED"
