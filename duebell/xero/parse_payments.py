"""Xero's payments as ``duebell.model.Payment``; like ``duebell.xero.parse``, total and with unknowns kept."""

from duebell.model import Payment, PaymentStatus, PaymentType
from duebell.xero.fields import Fields

PAYMENT_TYPES = {
    "ACCRECPAYMENT": PaymentType.SALE,
    "ACCPAYPAYMENT": PaymentType.BILL,
    # A credit, an over- or a prepayment that is paid out: money goes the other way.
    "ARCREDITPAYMENT": PaymentType.REFUND_TO_CUSTOMER,
    "AROVERPAYMENTPAYMENT": PaymentType.REFUND_TO_CUSTOMER,
    "ARPREPAYMENTPAYMENT": PaymentType.REFUND_TO_CUSTOMER,
    "APCREDITPAYMENT": PaymentType.REFUND_FROM_SUPPLIER,
    "APOVERPAYMENTPAYMENT": PaymentType.REFUND_FROM_SUPPLIER,
    "APPREPAYMENTPAYMENT": PaymentType.REFUND_FROM_SUPPLIER,
}

PAYMENT_STATUSES = {
    "AUTHORISED": PaymentStatus.AUTHORISED,
    "DELETED": PaymentStatus.DELETED,
}


def parse_payment(value: object) -> Payment:
    """One element of Xero's ``Payments``. Raises ``BadField``."""
    fields = Fields.of("Payment", value)
    paid = fields.child("Invoice")
    return Payment(
        payment_id=fields.own_uuid("PaymentID"),
        type=PAYMENT_TYPES.get(fields.text("PaymentType"), PaymentType.UNKNOWN),
        status=PAYMENT_STATUSES.get(fields.text("Status"), PaymentStatus.UNKNOWN),
        invoice_id=paid.uuid("InvoiceID") if paid else None,
        amount=fields.money("Amount"),
        paid_on=fields.day("Date"),
        updated_at=fields.moment("UpdatedDateUTC", "UpdatedDateUTCString"),
    )
