"""What happened, in business words: the difference between two snapshots of a record."""

from dataclasses import dataclass

from duebell.model import Invoice, InvoicePayment, InvoiceStatus, InvoiceType

ISSUED = frozenset({InvoiceStatus.AUTHORISED, InvoiceStatus.PAID})
WITHDRAWN = frozenset({InvoiceStatus.VOIDED, InvoiceStatus.DELETED})


@dataclass(frozen=True, slots=True)
class InvoiceIssued:
    """A sales invoice was seen approved for the first time, however it got there.

    Xero's event type cannot tell: a draft that is approved is an update, a repeating invoice is created
    approved (developer.xero.com/documentation/guides/webhooks/overview).
    """

    invoice_id: str


@dataclass(frozen=True, slots=True)
class InvoiceWithdrawn:
    """An issued invoice was voided or deleted: what waits to be said about it must not be said."""

    invoice_id: str


@dataclass(frozen=True, slots=True)
class InvoiceReopened:
    """Something is owed again on an issued invoice on which nothing was: what settled it was taken off."""

    invoice_id: str


@dataclass(frozen=True, slots=True)
class DueDateMoved:
    """An issued invoice is due on another day than before."""

    invoice_id: str


@dataclass(frozen=True, slots=True)
class PaymentReceived:
    """An invoice lists a payment that it did not list before.

    Only money that a customer paid stands there: credit notes, over- and prepayments are allocations with
    lists of their own, and refunds belong to those (Xero's PaymentType ``AR…PAYMENT``).
    """

    invoice_id: str
    payment: InvoicePayment


@dataclass(frozen=True, slots=True)
class PaymentReversed:
    """A payment that the invoice listed is gone: it was removed, perhaps to be entered anew."""

    invoice_id: str
    payment: InvoicePayment


@dataclass(frozen=True, slots=True)
class NothingToTell:
    """The record changed in no way that anyone is told about; ``why`` is for the inbox and the trail."""

    why: str


Change = (
    InvoiceIssued
    | InvoiceWithdrawn
    | InvoiceReopened
    | DueDateMoved
    | PaymentReceived
    | PaymentReversed
    | NothingToTell
)

IN_WORDS: dict[type[Change], str] = {
    InvoiceIssued: "invoice issued",
    InvoiceWithdrawn: "invoice withdrawn",
    InvoiceReopened: "invoice owed on again",
    DueDateMoved: "due date moved",
    PaymentReceived: "payment received",
    PaymentReversed: "payment reversed",
}


def in_words(changes: tuple[Change, ...]) -> str:
    """What happened, for the inbox and the trail."""
    told = [one.why if isinstance(one, NothingToTell) else IN_WORDS[type(one)] for one in changes]
    return ", ".join(dict.fromkeys(told))


def changes_of_invoice(compared: Invoice | None, current: Invoice) -> tuple[Change, ...]:
    """What happened to an invoice since ``compared``, which is ``None`` where it was never compared.

    Never empty. A removed payment stands before a new one, because the new one may replace it.
    """
    if current.type is not InvoiceType.SALE:
        return (NothingToTell("not a sales invoice"),)
    found = (
        *_of_status(compared, current),
        *_of_due_date(compared, current),
        *_of_payments(compared, current),
    )
    return found or (NothingToTell(_why_nothing(compared, current)),)


def _of_status(compared: Invoice | None, current: Invoice) -> tuple[Change, ...]:
    was_issued = compared is not None and compared.status in ISSUED
    if current.status in ISSUED and not was_issued:
        return (InvoiceIssued(current.invoice_id),)
    if current.status in WITHDRAWN and was_issued:
        return (InvoiceWithdrawn(current.invoice_id),)
    if compared is not None and was_issued and current.is_owed and not compared.is_owed:
        return (InvoiceReopened(current.invoice_id),)
    return ()


def _of_due_date(compared: Invoice | None, current: Invoice) -> tuple[Change, ...]:
    if compared is None or not {compared.status, current.status} <= ISSUED:
        return ()
    # Absent means "not told", so a date that one form of the record leaves out has not moved.
    if compared.due_on is None or current.due_on is None or compared.due_on == current.due_on:
        return ()
    return (DueDateMoved(current.invoice_id),)


def _of_payments(compared: Invoice | None, current: Invoice) -> tuple[Change, ...]:
    if not lists_payments(current):
        return ()
    before = {} if compared is None else {one.payment_id: one for one in compared.payments}
    now = {one.payment_id: one for one in current.payments}
    gone = [PaymentReversed(current.invoice_id, one) for key, one in before.items() if key not in now]
    new = [PaymentReceived(current.invoice_id, one) for key, one in now.items() if key not in before]
    return (*gone, *new)


def lists_payments(invoice: Invoice) -> bool:
    """Whether the record tells its payments at all: a summary leaves them out, whatever was paid."""
    return bool(invoice.payments) or invoice.amount_paid == 0


def _why_nothing(compared: Invoice | None, current: Invoice) -> str:
    if current.status in ISSUED:
        return "issued before" if compared is not None else "nothing new"
    return f"the invoice is {current.status.value}"
