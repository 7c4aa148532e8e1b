"""Messages that a person asked to have said again."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger.built_once import built_once
from duebell.ledger.moving import leaving
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.states import NOT_REACHED, WAITING, NotificationState

S = NotificationState

TAKEN_FOR_UNTOLD = NOT_REACHED | {S.PARKED, S.GIVEN_UP, S.SKIPPED}
"""States of which nobody knows that the person was told: it is said again for want of that, and no more once
it is proven. What was told is said again because a person wants it so.
"""


def disarm(book: Writing, told: Notification) -> None:
    """Leave out what a person asked to have said again because it was taken for untold: it is proven now that
    the first message was told.
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
            leaving(WAITING | {S.CLAIMED}, S.SKIPPED),
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


def hold_firsts(session: Session, tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> None:
    """Let no receipt come for the messages of a kind about these invoices until this transaction ends.

    One that comes meanwhile then finds the further message that it makes needless.
    """
    _held(session, tenant_id, kind, invoice_ids).all()


@built_once
def _held(tenant_id: str, kind: str, ids: Sequence[str]) -> SelectOfScalar[str]:
    of_these = (
        Notification.tenant_id == tenant_id,
        Notification.kind == kind,
        col(Notification.invoice_id).in_(ids),
    )
    ordered = select(Notification.key).where(*of_these).order_by(col(Notification.notification_id))
    return ordered.with_for_update()
