"""Emails that SendGrid was to hold: one that was not answered is discarded, so that it can be said anew."""

from datetime import datetime

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
    in_time = cancel_in_time(resources, attempt.batch_id, attempt.send_at)
    fail_point("after-discarding")
    return CANCELLED if in_time else ""


def cancel_in_time(resources: Resources, batch_id: str, send_at: datetime) -> bool:
    """Cancel a batch; whether that came in time, for whoever stood still meanwhile asked too late.

    Raises what reading SendGrid raises.
    """
    resources.sendgrid().cancel_batch(batch_id)
    return resources.clock() < batch_closes(send_at)
