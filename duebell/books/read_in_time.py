"""Whether what a message says, and to whom it goes, was read lately enough to be said."""

from datetime import datetime, timedelta

from sqlmodel import Session

from duebell.keys import is_contact
from duebell.ledger import freshness
from duebell.ledger.freshness import CONTACT_KEEPS, is_since
from duebell.ledger.notifications import Claim

FRESH = timedelta(seconds=60)
"""How old the read of an invoice may be at the moment at which somebody is told about it."""

OF_ITS_CONTACT = "its contact was not read in time"


def not_in_time(session: Session, claim: Claim, now: datetime) -> dict[str, str]:
    """The invoices of a claim of which nothing may be said now, with what else than they was not read lately.

    A team's address is the policy's, so that its message waits for no contact. A contact that was never read
    is left to the decision.
    """
    reads = freshness.of_claimed(session, claim.notification_id, claim.invoice_ids)
    found = {one: _not_in_time(read, now) for one, read in reads.items()}
    wanting = {one: "" for one in claim.invoice_ids if one not in found}
    return wanting | {one: why for one, why in found.items() if why is not None}


def _not_in_time(read: freshness.Read, now: datetime) -> str | None:
    if not _is_fresh(read.at, now):
        return ""
    if not is_contact(read.recipient) or read.contact_at is None:
        return None
    return None if is_since(read.contact_at, now - CONTACT_KEEPS, now) else OF_ITS_CONTACT


def _is_fresh(read_at: datetime, now: datetime) -> bool:
    """Whether it was read a moment ago; what was read in the future was read by a clock that was set back."""
    return abs(now - read_at) <= FRESH
