"""Emails that SendGrid holds, each in a batch of its own, by which alone it can be taken back.

The batch is noted before anything is posted in it. So an attempt without one posted nothing, and whatever
becomes of a POST that was not answered, it comes to nothing once its batch is cancelled in time: then the
same may be said anew (twilio.com/docs/sendgrid/api-reference/cancel-scheduled-sends).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from duebell.audit import Entry
from duebell.hours.scheduling import SURE_TO_COME, taken_back_until
from duebell.ledger import present
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL
from duebell.states import AttemptState, NotificationState
from duebell.twilio.statuses import MessageStatus, message_status

MOST_HELD = 10
"""So many batches SendGrid cancels at once: of more that are held, a stop could not take back all."""

LONGEST_HELD = timedelta(hours=3)
"""What a policy may ask for at most."""

UNANSWERED = "unanswered"
"""Why an email is taken back whose POST was not answered: it is said again in another batch."""

NOT_GONE = frozenset({MessageStatus.ACCEPTED, MessageStatus.QUEUED})
"""What SendGrid says of an email that it holds, too: it prepares one before its time
(twilio.com/docs/sendgrid/for-developers/sending-email/scheduling-parameters).
"""


def held(session: Session, now: datetime) -> int:
    """How many emails are in a batch whose time has not come, or are to be, whatever became of them."""
    ahead = select(func.count()).select_from(Attempt).join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
    which = col(Attempt.started_at) > now - LONGEST_HELD, col(Attempt.send_at) > now, Leg.channel == EMAIL
    return session.exec(ahead.where(*which)).one()


def note(book: Writing, attempt_id: str, batch_id: str) -> bool:
    """Note the batch of an email that is about to be posted; false where others hold the attempt for lost."""
    return _while_sending(book, attempt_id, batch_id=batch_id)


def send_at_once(book: Writing, attempt_id: str, why: str) -> bool:
    """Have an email sent at once for which there is no batch, and say why; false as ``note`` says it."""
    if not _while_sending(book, attempt_id, send_at=None):
        return False
    attempt = present.attempt(book.session, attempt_id)
    row = book.session.get_one(Notification, attempt.notification_id)
    details = {"attempt": attempt_id, "why": why}
    book.audit(
        Entry("send", "sent at once", "notification", row.key, row.tenant_id, attempt.flow_run_id, details)
    )
    return True


def _while_sending(book: Writing, attempt_id: str, **values: object) -> bool:
    is_ours = col(Attempt.attempt_id) == attempt_id, col(Attempt.state) == AttemptState.SENDING.value
    changed = update(Attempt).where(*is_ours).values(**values).returning(col(Attempt.attempt_id))
    return book.session.exec(changed).first() is not None


def ask_to_discard(book: Writing, attempt_id: str) -> bool:
    """Write down that an unanswered email is to be discarded, before SendGrid is asked: should its answer
    come after all, it stands for one that is to be taken back. False where it is known by now.
    """
    is_unknown = (col(Attempt.state) == AttemptState.UNKNOWN.value) & (col(Attempt.batch_id) != "")
    asked = update(Attempt).where(is_unknown, col(Attempt.attempt_id) == attempt_id)
    found = asked.values(cancel_why=UNANSWERED).returning(col(Attempt.attempt_id))
    return book.session.exec(found).first() is not None


def looked_for_at(attempt: Attempt, at: datetime | None) -> datetime | None:
    """When an attempt is looked for that was to be at ``at``: of an email in a batch, while that can be
    cancelled.
    """
    if at is None or attempt.send_at is None or not attempt.batch_id:
        return at
    return min(at, taken_back_until(attempt.send_at, in_batch=True) - SURE_TO_COME)


def as_it_is(book: Writing, attempt_id: str, known: Conclusion, happened_at: datetime | None) -> Conclusion:
    """What an event says of an attempt: what SendGrid took, and is to send later, it holds.

    ``happened_at`` is when it happened, where it tells: it may be heard of much later.
    """
    if message_status(known.provider_status) not in NOT_GONE:
        return known
    attempt = present.attempt(book.session, attempt_id)
    send_at = attempt.send_at if attempt.batch_id else None
    if send_at is None or (happened_at or book.now) >= send_at:
        return known
    return replace(
        known, notification=NotificationState.SCHEDULED, provider_status=MessageStatus.SCHEDULED.value
    )


def is_discarded(attempt: Attempt, known: Conclusion) -> bool:
    """Whether it only says that SendGrid took an email which it is to discard, or has discarded."""
    cancelled = bool(attempt.batch_id) and attempt.state == AttemptState.NOT_PROCESSED.value
    return cancelled and message_status(known.provider_status) in {MessageStatus.SCHEDULED, *NOT_GONE}
