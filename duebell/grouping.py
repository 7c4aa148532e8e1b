"""Which notifications are told in one message: what one customer paid on one day is one piece of news."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from duebell.keys import PAYMENT_RECEIVED
from duebell.known import Known
from duebell.ledger.tables import Notification
from duebell.states import WAITING, NotificationState

MOST_TOGETHER = 20
"""Payments in one message: more would neither be read nor be one transaction's worth of work."""


@dataclass(frozen=True, slots=True)
class Group:
    """Notifications that one message tells; the first is the one that is sent."""

    lead: Notification
    members: tuple[Notification, ...]


def groups_of(rows: Iterable[Notification], known: Mapping[str, Known]) -> tuple[Group, ...]:
    """The groups among rows that wait, stand alone so far and were decided alike.

    A batch payment settles several invoices by one deposit. Invoices do not name the batch, and the list of
    payments that does needs a scope of its own; but what a customer paid on one day in one currency is one
    thing to them, however it was entered.
    """
    together: dict[tuple[str, ...], list[Notification]] = {}
    for row in sorted(rows, key=lambda row: row.notification_id or 0):
        mark = _mark(row, known)
        if mark is not None:
            together.setdefault(mark, []).append(row)
    chunks = (
        rows[start : start + MOST_TOGETHER]
        for rows in together.values()
        for start in range(0, len(rows), MOST_TOGETHER)
    )
    return tuple(Group(lead, tuple(others)) for lead, *others in chunks if others)


def _mark(row: Notification, known: Mapping[str, Known]) -> tuple[str, ...] | None:
    """What two notifications have in common that are told together; nothing for one that stands alone."""
    about = known.get(row.invoice_id)
    if row.kind != PAYMENT_RECEIVED or about is None or row.generation > 0 or row.lead_id is not None:
        return None
    payment = about.payment(row.subject_id)
    if NotificationState(row.state) not in WAITING or payment is None or payment.paid_on is None:
        return None
    held_until = row.not_before.isoformat() if row.state == NotificationState.HELD and row.not_before else ""
    return (
        row.recipient, about.read.invoice.currency, payment.paid_on.isoformat(), row.state, row.reason,
        held_until,
    )  # fmt: skip
