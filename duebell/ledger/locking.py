"""An attempt and the notification that it speaks for, for one transaction alone."""

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger import present
from duebell.ledger.built_once import built_once
from duebell.ledger.tables import Attempt, Notification


def locked(session: Session, attempt_id: str) -> tuple[Attempt, Notification]:
    """Both rows as they are now, and with them the lead that the notification has joined, if any.

    The notification comes first, as in the reaper, and its lead before it, as with a sender: two orders would
    be a deadlock. Whoever was waited for may have moved the attempt to another notification, or that one to
    another lead. A row that this session has read before would keep its old values without
    ``populate_existing`` (docs.sqlalchemy.org/en/20/orm/queryguide/api.html#populate-existing).
    """
    while True:
        rows = {row.notification_id: row for row in _lock_owner(session, attempt_id).all()}
        attempt = present.locked_attempt(session, attempt_id)
        owner = rows.get(attempt.notification_id)
        if owner is not None and (owner.lead_id is None or owner.lead_id in rows):
            return attempt, owner


@built_once
def _lock_owner(attempt_id: str) -> SelectOfScalar[Notification]:
    own, its_id = aliased(Notification), col(Notification.notification_id)
    owner = select(Attempt.notification_id).where(Attempt.attempt_id == attempt_id).scalar_subquery()
    lead = select(own.lead_id).where(col(own.notification_id) == owner).scalar_subquery()
    wanted = select(Notification).where((its_id == owner) | (its_id == lead))
    ordered = wanted.order_by(col(Notification.lead_id).is_not(None), its_id)
    return ordered.with_for_update().execution_options(populate_existing=True)
