"""What happened, in business words: the difference between two snapshots of a record."""

from dataclasses import dataclass

from duebell.model import Invoice, InvoiceStatus, InvoiceType

ISSUED = frozenset({InvoiceStatus.AUTHORISED, InvoiceStatus.PAID})


@dataclass(frozen=True, slots=True)
class InvoiceIssued:
    """A sales invoice was seen approved for the first time, however it got there.

    Xero's event type cannot tell: a draft that is approved is an update, a repeating invoice is created
    approved (developer.xero.com/documentation/guides/webhooks/overview).
    """

    invoice_id: str


@dataclass(frozen=True, slots=True)
class NothingToTell:
    """The record changed in no way that anyone is told about; ``why`` is for the inbox and the trail."""

    why: str


Change = InvoiceIssued | NothingToTell


def changes_of_invoice(compared: Invoice | None, current: Invoice) -> tuple[Change, ...]:
    """What happened to an invoice since ``compared``, which is ``None`` where it was never compared."""
    if current.type is not InvoiceType.SALE:
        return (NothingToTell("not a sales invoice"),)
    if current.status not in ISSUED:
        return (NothingToTell(f"the invoice is {current.status.value}"),)
    if compared is not None and compared.status in ISSUED:
        return (NothingToTell("issued before"),)
    return (InvoiceIssued(current.invoice_id),)
