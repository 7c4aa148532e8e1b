"""Messages that a person asked to have said again."""

from sqlalchemy import update
from sqlmodel import col

from duebell.audit import Entry
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.states import WAITING, NotificationState

S = NotificationState


def disarm(book: Writing, told: Notification) -> None:
    """Leave out what a person asked to have said again because nobody knew: it is proven now that the first
    message arrived.
    """
    waiting = (
        update(Notification)
        .where(
            col(Notification.tenant_id) == told.tenant_id,
            col(Notification.kind) == told.kind,
            col(Notification.subject_id) == told.subject_id,
            col(Notification.step) == told.step,
            col(Notification.recipient) == told.recipient,
            col(Notification.generation) > told.generation,
            col(Notification.state).in_([state.value for state in (*WAITING, S.CLAIMED)]),
        )
        .values(
            state=S.SKIPPED.value,
            reason="told_after_all",
            not_before=None,
            dispatch_at=None,
            lease_until=None,
        )
        .returning(col(Notification.key))
    )
    for key in book.session.exec(waiting).scalars():
        book.audit(Entry("receipt", "re-send disarmed", "notification", key, told.tenant_id))
