"""When somebody was told that an invoice was issued, or is about to be: its reminders wait for that."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from duebell.keys import INVOICE_ISSUED, is_contact, person_of
from duebell.ledger.dispatch import RUN_CANCELLED, TEMPLATE, UNFIT
from duebell.ledger.reminders import HEARD
from duebell.ledger.tables import Attempt, Notification
from duebell.states import WAITING, NotificationState

S = NotificationState

UNHEARD = frozenset({S.SKIPPED, S.UNDELIVERED, S.FAILED, S.GIVEN_UP})
"""Where it ended without having told anybody."""

FOR_A_PERSON = (RUN_CANCELLED, f"{TEMPLATE}:", f"{UNFIT}:")
"""How the reasons begin of what a person has to see to before it goes out, whatever its time."""


@dataclass(frozen=True, slots=True)
class Announced:
    """That somebody was told of an invoice; ``at`` is empty while that is about to happen by itself.

    ``person`` is the hash of a further person at the contact, empty for the contact.
    """

    at: datetime | None
    contact_id: str = ""
    person: str = ""
    address: str = field(default="", repr=False)


def of_invoices(
    session: Session,
    tenant_id: str,
    moment: datetime,
    invoice_ids: Collection[str],
    survivors: Mapping[str, str],
) -> dict[str, tuple[Announced, ...]]:
    """What the customers of these invoices were told of their issue from ``moment`` on, by invoice.

    ``survivors`` has each contact with the one that it is now: who was told under another name was told.
    """
    found: dict[str, tuple[Announced, ...]] = {}
    for row, at, address in session.exec(_told(tenant_id, moment, invoice_ids)).all():
        more = _announced(row, at, address or "", survivors)
        found[row.invoice_id] = (*found.get(row.invoice_id, ()), *more)
    return found


def _told(
    tenant_id: str, moment: datetime, invoice_ids: Collection[str]
) -> Select[Notification, datetime, str]:
    """Each announcement with what was heard of it, which may be nothing."""
    heard = and_(
        col(Attempt.notification_id) == col(Notification.notification_id),
        col(Attempt.state).in_(HEARD),
        col(Attempt.started_at) >= moment,
    )
    return (
        select(Notification, Attempt.started_at, Attempt.address)
        .join(Attempt, heard, isouter=True)
        .where(
            Notification.tenant_id == tenant_id,
            Notification.kind == INVOICE_ISSUED,
            col(Notification.invoice_id).in_(invoice_ids),
        )
        .order_by(col(Notification.notification_id), col(Attempt.started_at))
        .execution_options(populate_existing=True)
    )


def _announced(
    row: Notification, at: datetime | None, address: str, survivors: Mapping[str, str]
) -> Iterator[Announced]:
    state = S(row.state)
    if not is_contact(row.recipient) or state in UNHEARD:
        return
    if state in WAITING | {S.CLAIMED}:
        at, address = None, ""
        if row.not_before is None or row.reason.startswith(FOR_A_PERSON):
            return
    elif at is None:
        return
    contact_id = row.contact_id or ""
    yield Announced(at, survivors.get(contact_id, contact_id), person_of(row.recipient), address)
