"""Saying it again because a person wants it: a new key, with who asked and why."""

from dataclasses import dataclass

from sqlmodel import col, or_, select

from duebell.access import XeroAccess, unpaced
from duebell.audit import Entry
from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import notifications, snapshots
from duebell.ledger.tables import InvoiceSnapshot, Notification
from duebell.ledger.writing import Writing, writing
from duebell.planning import Known, known_of, plan_issued, plan_resend
from duebell.reading import XeroReader
from duebell.resources import Resources
from duebell.states import TOLD, NotificationState
from duebell.telling import FRESH, rules_of

S = NotificationState

ENDED = TOLD | {S.UNDELIVERED, S.FAILED, S.GIVEN_UP, S.PARKED, S.SKIPPED}
"""States in which nothing more will be sent by itself."""


@dataclass(frozen=True, slots=True)
class Resend:
    """A forced re-send that now waits for its run, or the reason for which it does not."""

    tenant_id: str
    invoice_id: str
    key: str
    state: str
    reason: str


def resend(resources: Resources, wanted: str, *, by: str, why: str) -> Resend:
    """Plan one more message about an invoice, named by its number or id.

    Raises ``Permanent`` where no such invoice is known, where the number names several, or where a message
    about it is on its way or still waits: a second one beside it would tell the person twice.
    """
    now = resources.clock()
    with writing(resources.engine, now) as book:
        snapshot = _find(book, wanted)
        known = known_of(book.session, snapshot.tenant_id, [snapshot.invoice_id])
        snapshots.hold(book.session, snapshot.tenant_id, [snapshot.invoice_id])
        row = _first(book, snapshot, known, resources, by) or _again(
            book, snapshot, known[snapshot.invoice_id], resources, by, why
        )
        book.audit(
            Entry(by, "re-send asked for", "notification", row.key, row.tenant_id, details={"why": why})
        )
        return Resend(row.tenant_id, row.subject_id, row.key, row.state, row.reason)


def read_first(resources: Resources, wanted: str) -> None:
    """Have the invoice and its contact as they are in Xero now: of old invoices no contact was ever read.

    Raises what reading Xero raises, and ``Permanent`` where no such invoice is known.
    """
    now = resources.clock()
    with writing(resources.engine, now) as book:
        snapshot = _find(book, wanted)
        tenant_id, invoice_id = snapshot.tenant_id, snapshot.invoice_id
    access = XeroAccess(resources, tenant_id, unpaced, "resend")
    XeroReader(access).invoices([invoice_id], since=now - FRESH)


def _find(book: Writing, wanted: str) -> InvoiceSnapshot:
    rows = book.session.exec(
        select(InvoiceSnapshot).where(
            or_(col(InvoiceSnapshot.number) == wanted, col(InvoiceSnapshot.invoice_id) == wanted.lower()),
            InvoiceSnapshot.type == "sale",
        )
    ).all()
    if not rows:
        raise Permanent(f"no sales invoice {wanted} is known: check the number, or give its id")
    if len(rows) > 1:
        raise Permanent(f"several invoices are numbered {wanted}: give the id instead")
    return rows[0]


def _first(
    book: Writing, snapshot: InvoiceSnapshot, known: dict[str, Known], resources: Resources, by: str
) -> Notification | None:
    """The first message about an invoice where there was none and it may be sent: no second one is needed."""
    if _rows(book, snapshot):
        return None
    rows = plan_issued(book, snapshot.tenant_id, known, rules_of(resources), actor=by, flow_run_id=None)
    return next((row for row in rows if S(row.state) not in ENDED), None)


def _again(
    book: Writing, snapshot: InvoiceSnapshot, known: Known, resources: Resources, by: str, why: str
) -> Notification:
    rows = _rows(book, snapshot)
    open_ones = [row.state for row in rows if S(row.state) not in ENDED]
    if open_ones:
        raise Permanent(
            f"a message about invoice {snapshot.number or snapshot.invoice_id} is {open_ones[0]}: "
            "a second one beside it would tell the person twice"
        )
    return plan_resend(book, rows[-1], known, rules_of(resources), by=by, why=why)


def _rows(book: Writing, snapshot: InvoiceSnapshot) -> list[Notification]:
    return notifications.of_invoices(book.session, snapshot.tenant_id, INVOICE_ISSUED, [snapshot.invoice_id])
