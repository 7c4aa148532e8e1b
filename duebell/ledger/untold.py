"""Customers who were not told, or not yet, for a reason that somebody of the business should know.

A further person whose email did not arrive leaves no customer untold: the customer has a message of its own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from duebell.keys import contact_recipient, person_recipient
from duebell.ledger import present
from duebell.ledger.came_back import REASON as CAME_BACK
from duebell.ledger.tables import Notification
from duebell.policy.reasons import Reason
from duebell.states import NotificationState

S = NotificationState

IN_CREDIT = Reason.IN_CREDIT.value
UNDELIVERED, UNKNOWN = "undelivered", "unknown"

NOBODY_REACHED = frozenset(
    {
        Reason.NO_CONTACT,
        Reason.CONTACT_CLOSED,
        Reason.NO_PHONE,
        Reason.NO_EMAIL,
        Reason.NO_WAY,
        Reason.OPTED_OUT,
        Reason.NUMBER_INVALID,
    }
)
"""Reasons for leaving a customer out that lie in how they can be reached, not in what is true or wanted."""

FAILED: dict[S, str] = {
    S.UNDELIVERED: UNDELIVERED,
    S.FAILED: UNDELIVERED,
    S.GIVEN_UP: UNDELIVERED,
    S.PARKED: UNKNOWN,
}
"""Where a message ended that did not arrive, or of which nobody can say whether it did."""


@dataclass(frozen=True, slots=True)
class Untold:
    """A message that did not reach a customer. ``cause`` is a code: a reason's, or one of ``FAILED``.

    ``kind`` is empty in verdicts that were kept before it was.
    """

    cause: str
    at: datetime
    kind: str = ""


def of_invoices(
    session: Session, tenant_id: str, invoice_ids: Collection[str]
) -> dict[str, tuple[Untold, ...]]:
    """What did not reach the customers of these invoices, by invoice, oldest first."""
    rows = session.exec(
        select(Notification)
        .where(*_untold(tenant_id), col(Notification.invoice_id).in_(invoice_ids))
        .order_by(col(Notification.updated_at), col(Notification.notification_id))
        .execution_options(populate_existing=True)
    ).all()
    found: dict[str, tuple[Untold, ...]] = {}
    for row in rows:
        one = Untold(_cause(row), row.updated_at, row.kind)
        found[row.invoice_id] = (*found.get(row.invoice_id, ()), one)
    return found


def since(session: Session, tenant_id: str, moment: datetime) -> Sequence[str]:
    """The invoices of which something did not reach a customer, and that became so at ``moment`` or later."""
    wanted = select(Notification.invoice_id).where(
        *_untold(tenant_id), col(Notification.updated_at) >= moment
    )
    return session.exec(wanted.distinct().order_by(col(Notification.invoice_id))).all()


def _untold(tenant_id: str) -> tuple[ColumnElement[bool], ...]:
    """What a person had said again is seen to: the later message stands for itself."""
    unreached = or_(*(col(Notification.reason).startswith(one.value) for one in sorted(NOBODY_REACHED)))
    own = col(Notification.recipient).not_like(person_recipient("%", "%"))
    return (
        col(Notification.tenant_id) == tenant_id,
        col(Notification.recipient).startswith(contact_recipient("")),
        ~present.is_said_again(),
        or_(
            own & (col(Notification.state) == S.SKIPPED.value) & unreached,
            own & col(Notification.state).in_([state.value for state in FAILED]),
            own & (col(Notification.state) == S.DELIVERED.value) & (col(Notification.reason) == CAME_BACK),
            (col(Notification.state) == S.HELD.value) & (col(Notification.reason) == IN_CREDIT),
        ),
    )


def _cause(row: Notification) -> str:
    if row.reason == CAME_BACK:
        return UNDELIVERED
    return FAILED.get(S(row.state), row.reason.partition(":")[0])
