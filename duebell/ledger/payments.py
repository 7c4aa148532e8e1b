"""Payments: each as an invoice lists it, and which of them are one and the same to a customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger.built_once import built_once
from duebell.ledger.tables import PaymentSnapshot
from duebell.ledger.writing import Writing
from duebell.model import InvoicePayment


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """A payment that an invoice listed at some time, by the id that its notification is keyed by."""

    subject_id: str
    payment_id: str
    known_before_connecting: bool


def received(book: Writing, tenant_id: str, invoice_id: str, payment: InvoicePayment) -> None:
    """Write down a payment that an invoice lists now.

    One of the same amount and date as a payment of this invoice that was removed is that payment, entered
    anew: Xero edits a payment by deleting it and making another.
    """
    row = book.session.get(PaymentSnapshot, (tenant_id, payment.payment_id))
    if row is None:
        twin = _removed_twin(book.session, tenant_id, invoice_id, payment)
        row = PaymentSnapshot(
            tenant_id=tenant_id,
            payment_id=payment.payment_id,
            invoice_id=invoice_id,
            subject_id=twin.subject_id if twin else payment.payment_id,
            amount=_written(payment.amount),
            paid_on=payment.paid_on.isoformat() if payment.paid_on else None,
            first_seen_at=book.now,
            known_before_connecting=bool(twin and twin.known_before_connecting),
        )
        _note(book, row, "payment entered anew" if twin else "payment received")
    row.gone_at = None
    book.session.add(row)
    book.session.flush()


def reversed_(book: Writing, tenant_id: str, invoice_id: str, payment: InvoicePayment) -> None:
    """Write down that an invoice no longer lists a payment.

    One that was never written down stood there before the tenant was connected.
    """
    row = book.session.get(PaymentSnapshot, (tenant_id, payment.payment_id))
    if row is None:
        row = PaymentSnapshot(
            tenant_id=tenant_id,
            payment_id=payment.payment_id,
            invoice_id=invoice_id,
            subject_id=payment.payment_id,
            amount=_written(payment.amount),
            paid_on=payment.paid_on.isoformat() if payment.paid_on else None,
            first_seen_at=book.now,
            known_before_connecting=True,
        )
    if row.gone_at is None:
        row.gone_at = book.now
        _note(book, row, "payment reversed")
    book.session.add(row)
    book.session.flush()


def subject_of(session: Session, tenant_id: str, invoice_id: str, payment_id: str) -> str:
    """The id that the notification of a payment of this invoice is keyed by; empty for one that is unknown.

    ``payment_id`` is any id that Xero ever showed it under, however its letters are written.
    """
    row = session.get(PaymentSnapshot, (tenant_id, payment_id.strip().lower()))
    return row.subject_id if row is not None and row.invoice_id == invoice_id else ""


def _removed_twin(
    session: Session, tenant_id: str, invoice_id: str, payment: InvoicePayment
) -> PaymentSnapshot | None:
    """The removed payment that this one replaces: each is replaced once at most."""
    rows = session.exec(
        select(PaymentSnapshot)
        .where(PaymentSnapshot.tenant_id == tenant_id, PaymentSnapshot.invoice_id == invoice_id)
        .order_by(col(PaymentSnapshot.first_seen_at), col(PaymentSnapshot.payment_id))
    ).all()
    standing = {row.subject_id for row in rows if row.gone_at is None}
    paid_on = payment.paid_on.isoformat() if payment.paid_on else None
    alike = (row for row in rows if (row.amount, row.paid_on) == (_written(payment.amount), paid_on))
    return next((row for row in alike if row.gone_at is not None and row.subject_id not in standing), None)


def _written(amount: Decimal) -> str:
    """``90``, ``90.0`` and ``90.00`` are one amount."""
    return format(amount.normalize(), "f")


def _note(book: Writing, row: PaymentSnapshot, action: str) -> None:
    details = {"invoice": row.invoice_id, "subject": row.subject_id}
    book.audit(Entry("xero", action, "payment", row.payment_id, row.tenant_id, details=details))


def of_invoices(
    session: Session, tenant_id: str, invoice_ids: Sequence[str]
) -> dict[str, tuple[KnownPayment, ...]]:
    """The payments that were ever told of these invoices, by invoice, oldest first, one a subject.

    Of those that replaced each other it is the newest.
    """
    rows = _on(session, tenant_id, invoice_ids).all()
    found: dict[str, dict[str, KnownPayment]] = {}
    for row in sorted(rows, key=lambda row: row.gone_at is None):
        known = KnownPayment(row.subject_id, row.payment_id, row.known_before_connecting)
        found.setdefault(row.invoice_id, {})[row.subject_id] = known
    return {invoice_id: tuple(by_subject.values()) for invoice_id, by_subject in found.items()}


@built_once
def _on(tenant_id: str, invoice_ids: Sequence[str]) -> SelectOfScalar[PaymentSnapshot]:
    return (
        select(PaymentSnapshot)
        .where(PaymentSnapshot.tenant_id == tenant_id, col(PaymentSnapshot.invoice_id).in_(invoice_ids))
        .order_by(col(PaymentSnapshot.first_seen_at), col(PaymentSnapshot.payment_id))
    )
