"""Xero's records as the control surface tells them."""

from datetime import date

from deployments.sandbox.books import Group
from deployments.sandbox.control_records import CreditSummary, GroupSummary, MoneySummary
from deployments.sandbox.control_types import ContactSummary, InvoiceSummary, PaymentSummary
from deployments.sandbox.crediting import kind_of
from deployments.sandbox.payment_records import paid_on_of
from deployments.sandbox.wire import (
    Record,
    amount_of,
    read_json,
    read_ms_date,
    record_of,
    records_of,
    text_of,
)


def rows_of(text: str, plural: str) -> list[Record]:
    """The records of a JSON text: a list of them, or a whole answer that holds them under ``plural``."""
    value = read_json(text)
    return records_of(record_of(value).get(plural) if isinstance(value, dict) else value)


def _day(record: Record, name: str) -> date | None:
    return read_ms_date(record[name]).date() if name in record else None


def invoice_summary(record: Record) -> InvoiceSummary:
    """An invoice's record in the accountant's words."""
    payments = tuple(
        PaymentSummary(
            text_of(p, "PaymentID"), amount_of(p, "Amount"), paid_on_of(p), text_of(p, "Reference")
        )
        for p in records_of(record.get("Payments"))
    )
    return InvoiceSummary(
        invoice_id=text_of(record, "InvoiceID"),
        number=text_of(record, "InvoiceNumber"),
        type=text_of(record, "Type"),
        status=text_of(record, "Status"),
        contact_id=text_of(record_of(record.get("Contact")), "ContactID"),
        reference=text_of(record, "Reference"),
        currency=text_of(record, "CurrencyCode"),
        issued_on=_day(record, "Date"),
        due_on=_day(record, "DueDate"),
        total=amount_of(record, "Total"),
        amount_due=amount_of(record, "AmountDue"),
        amount_paid=amount_of(record, "AmountPaid"),
        payments=payments,
        updated_at=read_ms_date(record["UpdatedDateUTC"]),
        amount_credited=amount_of(record, "AmountCredited"),
        expected_on=_day(record, "ExpectedPaymentDate"),
        sent=record.get("SentToContact") is True,
    )


def money_summary(row: Record) -> MoneySummary:
    """A payment of ``/Payments`` in the accountant's words."""
    return MoneySummary(
        payment_id=text_of(row, "PaymentID"),
        type=text_of(row, "PaymentType"),
        status=text_of(row, "Status"),
        document_id=text_of(record_of(row["Invoice"]), "InvoiceID"),
        batch_id=text_of(row, "BatchPaymentID"),
        amount=amount_of(row, "Amount"),
        paid_on=paid_on_of(row),
        reference=text_of(row, "Reference"),
        updated_at=read_ms_date(row["UpdatedDateUTC"]),
    )


def credit_summary(record: Record) -> CreditSummary:
    """A credit note, prepayment or overpayment in the accountant's words."""
    return CreditSummary(
        credit_id=text_of(record, "ID"),
        category=kind_of(record).category,
        number=text_of(record, "CreditNoteNumber"),
        type=text_of(record, "Type"),
        status=text_of(record, "Status"),
        contact_id=text_of(record_of(record["Contact"]), "ContactID"),
        currency=text_of(record, "CurrencyCode"),
        total=amount_of(record, "Total"),
        remaining=amount_of(record, "RemainingCredit"),
        reference=text_of(record, "Reference"),
        updated_at=read_ms_date(record["UpdatedDateUTC"]),
    )


def group_summary(group: Group) -> GroupSummary:
    """A contact group in the accountant's words."""
    return GroupSummary(group.group_id, group.name, group.status, tuple(sorted(group.members)))


def contact_summary(record: Record) -> ContactSummary:
    """A contact's record in the accountant's words."""
    names = ("PhoneType", "PhoneCountryCode", "PhoneAreaCode", "PhoneNumber")
    phones = [tuple(text_of(p, name) for name in names) for p in records_of(record.get("Phones"))]
    return ContactSummary(
        contact_id=text_of(record, "ContactID"),
        name=text_of(record, "Name"),
        status=text_of(record, "ContactStatus"),
        email=text_of(record, "EmailAddress"),
        phones=tuple((p[0], p[1], p[2], p[3]) for p in phones),
        merged_into=text_of(record, "MergedToContactID"),
        number=text_of(record, "ContactNumber"),
        updated_at=read_ms_date(record["UpdatedDateUTC"]),
    )
