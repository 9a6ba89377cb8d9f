"""Every invariant of a database, in the order in which they are checked."""

from __future__ import annotations

from holdfast.audit.blocks import BLOCKS
from holdfast.audit.bookings import BOOKINGS
from holdfast.audit.channels import CHANNELS
from holdfast.audit.check import Check
from holdfast.audit.ledger import LEDGER
from holdfast.audit.replies import REPLIES
from holdfast.audit.trail import TRAIL
from holdfast.audit.waitlist import WAITLIST

CHECKS: tuple[Check, ...] = (*LEDGER, *BOOKINGS, *TRAIL, *REPLIES, *BLOCKS, *CHANNELS, *WAITLIST)
