"""Notifications that are told in another's message: they take every step that their lead takes."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, case, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger import dispatch, present
from duebell.ledger.built_once import built_once
from duebell.ledger.moving import leaving
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.states import WAITING, NotificationState

S = NotificationState

MOST_DUE = 500
"""How much of what is due for a daily message is looked at together."""

TAKEN_OVER = (
    "reason",
    "not_before",
    "dispatch_at",
    "lease_owner",
    "lease_until",
)
"""What is told in another's message takes over from that one, beside its state. Its claims it goes on
counting: attempts of its own stand on them.
"""
CLAIMABLE = WAITING | {S.CLAIMED}


def join(book: Writing, lead: Notification, members: Sequence[Notification]) -> None:
    """Have these told in the lead's message from now on, with those that were told in theirs."""
    lead_id = lead.notification_id
    ids = [row.notification_id for row in members]
    book.session.exec(
        update(Notification)
        .where(col(Notification.notification_id).in_(ids) | col(Notification.lead_id).in_(ids))
        .values(lead_id=lead_id)
        .execution_options(synchronize_session="fetch")
    )
    for row in members:
        details = {"lead": lead.key}
        book.audit(Entry("plan", "told together", "notification", row.key, row.tenant_id, details=details))


def part(book: Writing, lead_id: int) -> None:
    """Have those that were left out with the lead stand by themselves: it may be told without them."""
    book.session.exec(
        update(Notification)
        .where(col(Notification.lead_id) == lead_id, col(Notification.state) == S.SKIPPED.value)
        .values(lead_id=None)
        .execution_options(synchronize_session="fetch")
    )


def of_lead(session: Session, lead_id: int) -> list[Notification]:
    """The notifications that are told in this one's message, oldest first."""
    return list(_told_with(session, lead_id).all())


@built_once
def _told_with(lead_id: int) -> SelectOfScalar[Notification]:
    wanted = select(Notification).where(Notification.lead_id == lead_id)
    return wanted.order_by(col(Notification.notification_id)).execution_options(populate_existing=True)


def beside(session: Session, lead: Notification) -> list[Notification]:
    """Those of them that stand where their lead stands: what its message tells while it is on its way."""
    return [row for row in of_lead(session, lead.notification_id or 0) if row.state == lead.state]


def hold_claimed(session: Session, lead_id: int) -> list[int]:
    """The ids of those that are claimed with this one; until this transaction ends, none of them goes.

    A receipt may prove at any time that one of them was told by a message of its own. Take the lead before:
    whoever has others join it does so too.
    """
    return [one for one in _hold_claimed(session, lead_id).all() if one is not None]


@built_once
def _hold_claimed(lead_id: int) -> SelectOfScalar[int | None]:
    its_id = col(Notification.notification_id)
    of_these = (Notification.lead_id == lead_id, Notification.state == S.CLAIMED.value)
    return select(its_id).where(*of_these).order_by(its_id).with_for_update()


def companions(session: Session, tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> list[str]:
    """These invoices and those whose notifications are told together with theirs."""
    asked = present.of_invoices(session, tenant_id, kind, invoice_ids)
    leads = sorted({row.lead_id or row.notification_id or 0 for row in asked})
    together = _together(session, kind, leads).all() if leads else ()
    return list(dict.fromkeys([*invoice_ids, *sorted(together)]))


@built_once
def _together(kind: str, leads: Sequence[int]) -> SelectOfScalar[str]:
    of_these = col(Notification.lead_id).in_(leads) | col(Notification.notification_id).in_(leads)
    return select(Notification.invoice_id).where(Notification.kind == kind, of_these)


def is_due(row: Notification, now: datetime) -> bool:
    """Whether it waits and its time has come."""
    return S(row.state) in WAITING and row.not_before is not None and row.not_before <= now


def due_for(
    session: Session, tenant_id: str, recipients: Collection[str], now: datetime
) -> list[Notification]:
    """All that waits for these recipients and whose time has come, of whatever kind."""
    if not recipients:
        return []
    wanted = select(Notification).where(
        Notification.tenant_id == tenant_id,
        col(Notification.recipient).in_(recipients),
        dispatch.is_waiting(),
        col(Notification.not_before) <= now,
        col(Notification.reason) != dispatch.RUN_CANCELLED,
        Notification.generation == 0,
    )
    ordered = wanted.order_by(col(Notification.notification_id)).limit(MOST_DUE)
    return list(session.exec(ordered.execution_options(populate_existing=True)).all())


def claimed_with(book: Writing, lead_id: int, owner: str, token: int, until: datetime) -> list[str]:
    """Claim what is told in a lead's message, with the lead's own claim; returns its invoices."""
    return sorted(_claim_with(book.session, lead_id, owner, token, until, book.now).scalars())


@built_once
def _claim_with(lead_id: int, owner: str, token: int, until: datetime, now: datetime) -> UpdateBase:
    return (
        update(Notification)
        .where(col(Notification.lead_id) == lead_id, leaving(CLAIMABLE, S.CLAIMED))
        .values(
            state=S.CLAIMED.value,
            lease_owner=owner,
            lease_token=_later(token),
            lease_until=until,
            updated_at=now,
            flow_run_id=owner,
        )
        .returning(col(Notification.invoice_id))
    )


def follow(book: Writing, lead_id: int, before: NotificationState, *, actor: str) -> list[int]:
    """Take the step that the lead took from ``before``: its state, its reason, its times, its lease.

    Returns the ids of those that took it. Rows of theirs that the session has read stay as they were:
    :func:`of_lead` reads them anew.
    """
    moved = _follow(book.session, lead_id, before.value, book.now).all()
    if not moved:
        return []
    lead = book.session.get_one(Notification, lead_id, populate_existing=True)
    for _, key in moved:
        action, details = f"notification {lead.state}", {"reason": lead.reason, "lead": lead.key}
        book.audit(Entry(actor, action, "notification", key, lead.tenant_id, details=details))
    return sorted(one for one, _ in moved)


@built_once
def _follow(lead_id: int, before: str, now: datetime) -> UpdateBase:
    lead = aliased(Notification)
    taken = {name: getattr(lead, name) for name in ("state", *TAKEN_OVER)}
    token = _later(col(lead.lease_token))
    return (
        update(Notification)
        .where(
            col(Notification.lead_id) == lead_id,
            col(Notification.state) == before,
            col(Notification.lead_id) == col(lead.notification_id),
        )
        .values(updated_at=now, lease_token=token, **taken)
        .returning(col(Notification.notification_id), col(Notification.key))
    )


def _later(other: SQLColumnExpression[int] | int) -> ColumnElement[int]:
    """The later of its own last claim and another."""
    own = col(Notification.lease_token)
    return case((own < other, other), else_=own)


def leave(
    book: Writing,
    row: Notification,
    state: NotificationState,
    reason: str,
    *,
    not_before: datetime | None,
    dispatch_at: datetime | None,
) -> None:
    """Take a notification out of its lead's message: it goes a way of its own.

    Nothing happens to one that has left it since it was read, or has taken another step: it may be told.
    """
    way = {"state": state.value, "reason": reason, "not_before": not_before, "dispatch_at": dispatch_at}
    left = update(Notification).where(
        col(Notification.notification_id) == row.notification_id,
        col(Notification.lead_id) == row.lead_id,
        leaving({NotificationState(row.state)}, state),
    )
    left = left.values(lead_id=None, lease_until=None, updated_at=book.now, **way)
    if not book.session.exec(left.execution_options(synchronize_session="fetch")).rowcount:
        return
    details = {"reason": reason}
    book.audit(
        Entry("send", f"notification {state.value}", "notification", row.key, row.tenant_id, details=details)
    )
