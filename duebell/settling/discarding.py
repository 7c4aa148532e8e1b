"""Emails that SendGrid was to hold: one that was not answered is discarded, so that it can be said anew."""

from duebell.failpoints import fail_point
from duebell.hours.scheduling import taken_back_until
from duebell.ledger import batches
from duebell.ledger.unsettled import Unsettled
from duebell.ledger.writing import writing
from duebell.resources import Resources

NEVER_POSTED = "it was not posted: it has no batch to be taken back by"
CANCELLED = "whether SendGrid took it or not, it discards it: its batch was cancelled in time"


def why_discarded(resources: Resources, attempt: Unsettled) -> str:
    """Have an email discarded of which nobody knows whether SendGrid has it; returns why it never goes out.

    Nothing where it may: it is too late to ask for that, and SendGrid does not say that it was asked in time.
    Raises what reading SendGrid raises; it may be repeated.
    """
    if not attempt.batch_id:
        return NEVER_POSTED
    if not may_be_taken_back(resources, attempt):
        # Nobody asks later than in time, so that what was asked for was asked for in time.
        return CANCELLED if resources.sendgrid().is_cancelled(attempt.batch_id) else ""
    with writing(resources.engine, resources.clock()) as book:
        batches.ask_to_discard(book, attempt.attempt_id)
    fail_point("before-discarding")
    resources.sendgrid().cancel_batch(attempt.batch_id)
    fail_point("after-discarding")
    return CANCELLED


def may_be_taken_back(resources: Resources, email: Unsettled) -> bool:
    """Whether SendGrid still takes it back."""
    return email.send_at is not None and resources.clock() < taken_back_until(email.send_at, in_batch=True)
