"""Emails that SendGrid was to hold: one that was not answered is discarded, so that it can be said anew."""

from duebell.failpoints import fail_point
from duebell.hours.scheduling import batch_closes, taken_back_until
from duebell.ledger import batches
from duebell.ledger.unsettled import Unsettled
from duebell.ledger.writing import writing
from duebell.resources import Resources

NEVER_POSTED = "it was not posted: it has no batch to be taken back by"
CANCELLED = "whether SendGrid took it or not, it discards it: its batch was cancelled in time"


def why_discarded(resources: Resources, attempt: Unsettled) -> str:
    """Have an email discarded of which nobody knows whether SendGrid has it; returns why it never goes out.

    Nothing where it may go out, as nobody asked in time, or is known by now. What a batch is said to be later
    is no proof: a cancellation that came too late is told in the same way. Raises what reading SendGrid
    raises; it may be repeated.
    """
    if not attempt.batch_id:
        return NEVER_POSTED
    if attempt.send_at is None or resources.clock() >= taken_back_until(attempt.send_at, in_batch=True):
        return ""
    with writing(resources.engine, resources.clock()) as book:
        if not batches.ask_to_discard(book, attempt.attempt_id):
            return ""
    fail_point("before-discarding")
    resources.sendgrid().cancel_batch(attempt.batch_id)
    fail_point("after-discarding")
    # Whoever stood still meanwhile asked too late.
    return CANCELLED if resources.clock() < batch_closes(attempt.send_at) else ""
