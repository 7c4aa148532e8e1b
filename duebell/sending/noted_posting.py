"""The one POST of an attempt, with its lines in the side journal before and after it."""

import logging

from sqlmodel import col, select

from duebell.failpoints import fail_point
from duebell.ledger import trail
from duebell.ledger.attempts import Intent
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification
from duebell.resources import Resources
from duebell.safekeeping.journal import Journal, Posted
from duebell.sending.posting import Poster
from duebell.twilio.outcome import Accepted, NotProcessed, SendOutcome, Unknown

log = logging.getLogger("duebell.journal")


def post_noted(resources: Resources, poster: Poster, intent: Intent) -> SendOutcome:
    """POST once, after the journal knows of it: what it cannot note is not posted, and tried again later."""
    journal = resources.journal
    if journal is None:
        return _posted(poster, intent)
    ledger, posted = _as_noted(resources, journal, intent)
    try:
        journal.begun(ledger, posted)
    except OSError as error:
        return NotProcessed(
            f"the side journal in {journal.folder} cannot be written ({error.strerror})", None
        )
    outcome = _posted(poster, intent)
    _note(journal, ledger, posted, outcome)
    return outcome


def _posted(poster: Poster, intent: Intent) -> SendOutcome:
    fail_point("before-post")
    outcome = poster.post(intent)
    fail_point("after-post")
    return outcome


def _as_noted(resources: Resources, journal: Journal, intent: Intent) -> tuple[str, Posted]:
    wanted = (
        select(Notification.key, Notification.invoice_id)
        .where(
            (col(Notification.notification_id) == intent.notification_id)
            | (col(Notification.lead_id) == intent.notification_id)
        )
        .order_by(col(Notification.lead_id).is_not(None), col(Notification.notification_id))
    )
    with reading(resources.engine) as session:
        origin = trail.origin(session)
        told = tuple((key, invoice_id) for key, invoice_id in session.exec(wanted).all())
    compared = journal.compared[-1] if journal.compared else None
    return origin, Posted(
        intent.attempt_id,
        intent.lease_token,
        resources.clock(),
        intent.channel,
        told,
        compared_at=compared,
        send_at=intent.send_at,
        batch_id=intent.batch_id,
    )


def _note(journal: Journal, ledger: str, posted: Posted, outcome: SendOutcome) -> None:
    if isinstance(outcome, Unknown):
        return
    sid = outcome.sid if isinstance(outcome, Accepted) else None
    try:
        journal.ended(ledger, posted, sid)
    except OSError:
        # The message exists, and its SID still has to get into the ledger.
        log.exception("the side journal did not take the outcome of attempt %s", posted.attempt_id)
