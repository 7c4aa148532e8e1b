"""Copies: messages that a provider made of an attempt beside the one that is known as its own.

A provider promises one message for one POST. Where it breaks that, or something on the way repeats a POST, a
person is told twice, or told what was taken back. Nobody can call it back, but it must not go unsaid.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.meaning import MEANS
from duebell.ledger.tables import Attempt, Audit, Notification
from duebell.ledger.writing import Writing
from duebell.states import NotificationState
from duebell.twilio.statuses import MessageStatus, message_status

WENT_OUT = "a copy went out"
TAKEN_BACK = "a copy was taken back"
"""What the trail says of such a message, once."""

SURPLUS = "surplus"
"""Why a message that Twilio holds is taken back, where another tells the same."""

OUT = frozenset({NotificationState.SENT, NotificationState.DELIVERED})


def notice(book: Writing, attempt_id: str, sid: str, status: str, *, actor: str) -> None:
    """Write down that a message which is not the attempt's own went out, or was cancelled before that."""
    action = _came_to(message_status(status))
    if action is None:
        return
    attempt = book.session.get(Attempt, attempt_id)
    if attempt is None or attempt.sid in {None, sid}:
        return
    row = book.session.get_one(Notification, attempt.notification_id)
    if _is_told(book.session, row.key, action, sid):
        return
    why = f"Twilio made {sid} of it beside {attempt.sid}"
    details = {"attempt": attempt_id, "sid": sid, "status": status, "why": why}
    book.audit(Entry(actor, action, "notification", row.key, row.tenant_id, attempt.flow_run_id, details))


def was_taken_back(session: Session, notification_id: int, sid: str | None) -> bool:
    """Whether this message was cancelled for a copy, at our wish."""
    key = session.get_one(Notification, notification_id).key
    return sid is not None and _is_told(session, key, TAKEN_BACK, sid)


def _came_to(status: MessageStatus) -> str | None:
    if status is MessageStatus.CANCELED:
        return TAKEN_BACK
    return WENT_OUT if MEANS.get(status) in OUT else None


def _is_told(session: Session, key: str, action: str, sid: str) -> bool:
    told = _told_of(session, key, action).all()
    return any(f'"sid":"{sid}"' in details for details in told)


@built_once
def _told_of(key: str, action: str) -> SelectOfScalar[str]:
    return select(Audit.details).where(Audit.subject_id == key, Audit.action == action)


def since(engine: Engine, moment: datetime) -> Sequence[str]:
    """The keys of the notifications of which a copy went out at ``moment`` or later, the latest first."""
    with reading(engine) as session:
        wanted = select(Audit.subject_id).where(Audit.action == WENT_OUT, col(Audit.at) >= moment)
        return session.exec(wanted.order_by(col(Audit.sequence).desc())).all()
