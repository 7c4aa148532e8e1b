"""What Twilio or Xero was to be told of people's wishes for long, and was not, though it was tried."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from duebell.ledger.group_lines import UNSETTLED
from duebell.ledger.tables import ConsentLine, ConsentWish, GroupLine
from duebell.preferences.mirroring import Stands


def consents(session: Session, since: datetime) -> int:
    """How many consents of a wish from before then are still to be told to Twilio."""
    wanted = select(func.count()).where(
        ConsentLine.stands == Stands.OWED.value,
        col(ConsentLine.next_at).is_not(None),
        col(ConsentLine.wished_at) <= since,
        col(ConsentLine.tries) > 0,
    )
    return session.exec(wanted).one()


def memberships(session: Session, tenant_id: str, group_name: str, since: datetime) -> Sequence[GroupLine]:
    """The lines of a group, for a wish from before then, that are still to be shown in Xero."""
    wanted = (
        select(GroupLine)
        .join(ConsentWish, col(ConsentWish.address) == col(GroupLine.address))
        .where(
            GroupLine.tenant_id == tenant_id,
            GroupLine.group_name == group_name,
            col(GroupLine.stands).in_(UNSETTLED),
            col(GroupLine.tries) > 0,
            col(ConsentWish.wished_at) <= since,
        )
    )
    return session.exec(wanted.order_by(col(GroupLine.contact_id))).all()
