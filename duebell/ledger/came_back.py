"""Emails that came back after their delivery: the recipient's server took one, and could not hand it on.

The notification stays delivered, for nothing that was delivered is told again by itself; its reason says what
became of it, and the team hears of it.
"""

from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.ledger import groups, present
from duebell.ledger.meaning import was_delivered
from duebell.ledger.tables import Attempt, Notification, Receipt
from duebell.ledger.writing import Writing
from duebell.states import NotificationState
from duebell.twilio.outcome import is_message_sid
from duebell.twilio.statuses import MessageStatus, message_status

BOUNCE = "bounce"
CAME_BACK = "came_back"
REASON = f"{CAME_BACK}:email:{BOUNCE}"

_SAYS_SO = frozenset({BOUNCE, "delivered"})
"""The words that come in any order."""


def heed(book: Writing, attempt_id: str, sid: str, word: str, *, actor: str) -> None:
    """Write down that an email came back, once that and its delivery are known, in whatever order."""
    if word not in _SAYS_SO or is_message_sid(sid) or not _has_bounced(book.session, attempt_id):
        return
    attempt = book.session.get_one(Attempt, attempt_id)
    row = present.notification(book.session, attempt.notification_id)
    if row.lead_id is not None or not _rests_on_it(book.session, attempt, row):
        return
    for told in (row, *groups.of_lead(book.session, attempt.notification_id)):
        told.reason, told.updated_at = REASON, book.now
        details = {"attempt": attempt_id, "reason": REASON}
        book.audit(
            Entry(actor, "came back", "notification", told.key, told.tenant_id, attempt.flow_run_id, details)
        )


def _has_bounced(session: Session, attempt_id: str) -> bool:
    wanted = select(Receipt.receipt_id).where(Receipt.attempt_id == attempt_id, col(Receipt.status) == BOUNCE)
    return session.exec(wanted.limit(1)).first() is not None


def _rests_on_it(session: Session, attempt: Attempt, row: Notification) -> bool:
    """Whether nothing but this delivery, of which nobody read anything, says that the person was told."""
    if NotificationState(row.state) is not NotificationState.DELIVERED or row.reason == REASON:
        return False
    others = present.other_attempts(session, attempt.notification_id, attempt.attempt_id)
    is_delivered = message_status(attempt.provider_status) is MessageStatus.DELIVERED
    return is_delivered and not any(was_delivered(one) for one in others if one.sid)
