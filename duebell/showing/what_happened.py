"""What happened to an invoice, told by the versions in which Xero showed it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from duebell.changes import Change, NothingToTell, PaymentReceived, PaymentReversed, changes_of_invoice
from duebell.changes import in_words as change_in_words
from duebell.ledger.versions import Version
from duebell.model import Invoice
from duebell.money import with_code
from duebell.showing.facts_in_words import STATUSES, day_in_words, invoice_in_words
from duebell.xero.parse import parse_invoice_body


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that a read of Xero showed; ``at`` is empty where that was before versions were counted."""

    at: datetime | None
    what: str


def happened(versions: Sequence[Version]) -> list[Happened]:
    """What each version showed that the one before had not, the oldest first."""
    told: list[Happened] = []
    before: Invoice | None = None
    for version in versions:
        now = parse_invoice_body(version.body)
        if before is None:
            first = "first read" if version.number == 1 else "the earliest version that is still kept"
            told.append(Happened(version.since, f"{first}: {invoice_in_words(now)}"))
        else:
            told.append(
                Happened(version.since, "; ".join(_differences(before, now)) or "nothing that matters")
            )
        before = now
    return told


def _differences(before: Invoice, now: Invoice) -> Iterator[str]:
    for change in changes_of_invoice(before, now):
        yield from _in_words(change, now)
    if before.status is not now.status:
        yield f"it is {STATUSES[now.status]}"
    if before.due_on != now.due_on and now.due_on:
        yield f"due {day_in_words(now.due_on)}"
    if before.expected_payment_on != now.expected_payment_on:
        promised = now.expected_payment_on
        yield (
            f"expected to be paid {day_in_words(promised)}" if promised else "no date of payment is expected"
        )
    if before.amount_due != now.amount_due and now.amount_due is not None:
        yield f"{with_code(now.amount_due, now.currency)} owed"
    if before.contact_id != now.contact_id:
        yield "it is addressed to another contact"


def _in_words(change: Change, invoice: Invoice) -> Iterator[str]:
    match change:
        case PaymentReceived(payment=payment) | PaymentReversed(payment=payment):
            paid_on = f" of {day_in_words(payment.paid_on)}" if payment.paid_on else ""
            verb = "received" if isinstance(change, PaymentReceived) else "removed"
            yield f"payment{paid_on} over {with_code(payment.amount, invoice.currency)} {verb}"
        case NothingToTell():
            return
        case _:
            yield change_in_words((change,))
