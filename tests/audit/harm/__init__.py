"""What can be wrong with a database: at least one harm for each check, done past all constraints."""

from __future__ import annotations

from tests.audit.harm.blocks import BLOCKS
from tests.audit.harm.bookings import BOOKINGS
from tests.audit.harm.channels import CHANNELS
from tests.audit.harm.given import GIVEN
from tests.audit.harm.ledger import LEDGER
from tests.audit.harm.parts import Harm
from tests.audit.harm.replies import REPLIES
from tests.audit.harm.trail import TRAIL
from tests.audit.harm.waitlist import WAITLIST

__all__ = ["HARMS", "Harm"]

HARMS = (*LEDGER, *GIVEN, *BOOKINGS, *TRAIL, *REPLIES, *BLOCKS, *CHANNELS, *WAITLIST)
