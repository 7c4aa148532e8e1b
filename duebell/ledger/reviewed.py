"""What was planned while nothing was let out, or only to the allow-list: it waits for a person to go live."""

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from duebell.ledger.tables import Notification
from duebell.policy.reasons import Reason
from duebell.states import NotificationState

KEPT_IN = (Reason.IN_REVIEW.value, Reason.NOT_ON_ALLOWLIST.value)


def is_kept_in() -> ColumnElement[bool]:
    """Whether a notification waits for that."""
    is_held = col(Notification.state) == NotificationState.HELD.value
    return is_held & col(Notification.reason).in_(KEPT_IN)


def counts(session: Session) -> dict[str, int]:
    """How many wait for it, by tenant."""
    counted = select(Notification.tenant_id, func.count()).where(is_kept_in())
    return dict(session.exec(counted.group_by(col(Notification.tenant_id))).all())
