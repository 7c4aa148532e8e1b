"""Handling claimed events: compare what was read with what was known, plan what follows, close the events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duebell.changes import InvoiceIssued, NothingToTell, changes_of_invoice
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import inbox, snapshots
from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.writing import Writing
from duebell.model import InvoiceType
from duebell.planning import Known, Rules, known_of, plan_issued
from duebell.reading import Reading
from duebell.states import NotificationState

RETRY_AFTER = timedelta(minutes=2)
MOST_ATTEMPTS = 6
RUN_SIZE = 25
"""Invoices a notification run: small enough to be read in the UI, large enough to be cheap."""


@dataclass(frozen=True, slots=True)
class RunToStart:
    """One deployment run: a kind of notification and the invoices that it is about."""

    kind: str
    invoice_ids: tuple[str, ...]
    numbers: tuple[str, ...]


def record_changes(
    book: Writing,
    tenant_id: str,
    events: Sequence[ClaimedEvent],
    reading: Reading,
    rules: Rules,
    *,
    flow_run_id: str | None,
) -> list[RunToStart]:
    """Turn claimed events into notifications and close them, all in this one transaction.

    An event whose record could not be read is left for later, with the reason, and given up after
    ``MOST_ATTEMPTS``; it holds up no other.
    """
    about_invoices = [event for event in events if event.category == "INVOICE"]
    known = known_of(book.session, tenant_id, [event.resource_id for event in about_invoices])
    issued: dict[str, Known] = {}
    for event in about_invoices:
        one = known.get(event.resource_id)
        if one is None or _is_unread(one, event):
            _leave(book, event, reading)
            continue
        outcome = _compare(book, tenant_id, one, issued)
        inbox.finish(book, event, outcome)
    for event in events:
        if event.category != "INVOICE":
            _close_contact(book, event, reading)
    rows = plan_issued(book, tenant_id, issued, rules, actor="process_xero_events", flow_run_id=flow_run_id)
    told = [row.subject_id for row in rows if row.state == NotificationState.PLANNED.value]
    return _runs(told, known)


def _is_unread(one: Known, event: ClaimedEvent) -> bool:
    """Whether the record, or the contact that it would be told to, could not be read since the event came."""
    if one.read.read_at < event.received_at:
        return True
    invoice = one.read.invoice
    lacks_contact = invoice.type is InvoiceType.SALE and bool(invoice.contact_id) and one.contact is None
    return lacks_contact and event.attempts < MOST_ATTEMPTS


def _compare(book: Writing, tenant_id: str, one: Known, issued: dict[str, Known]) -> str:
    invoice = one.read.invoice
    outcomes: list[str] = []
    for change in changes_of_invoice(one.read.compared, invoice):
        match change:
            case InvoiceIssued():
                issued[invoice.invoice_id] = one
                outcomes.append("invoice issued")
            case NothingToTell(why=why):
                outcomes.append("invoice issued" if invoice.invoice_id in issued else why)
    snapshots.mark_compared(book.session, tenant_id, invoice.invoice_id, one.read.body)
    return ", ".join(outcomes)


def _close_contact(book: Writing, event: ClaimedEvent, reading: Reading) -> None:
    troubled = {*reading.missing, *(record_id for record_id, _ in reading.bad)}
    if event.resource_id in troubled:
        _leave(book, event, reading)
    else:
        inbox.finish(book, event, "contact read anew")


def _leave(book: Writing, event: ClaimedEvent, reading: Reading) -> None:
    if event.resource_id in reading.missing:
        why = "Xero knows no such record"
    else:
        why = dict(reading.bad).get(event.resource_id, "the record could not be read")
    if event.attempts >= MOST_ATTEMPTS:
        inbox.finish(book, event, f"given up: {why}")
    else:
        inbox.put_back(book, event, why, _later(book.now, event.attempts))


def _later(now: datetime, attempts: int) -> datetime:
    return now + RETRY_AFTER * 2 ** (attempts - 1)


def _runs(invoice_ids: Sequence[str], known: dict[str, Known]) -> list[RunToStart]:
    unique = list(dict.fromkeys(invoice_ids))
    return [
        RunToStart(
            INVOICE_ISSUED,
            tuple(unique[start : start + RUN_SIZE]),
            tuple(known[one].read.invoice.number for one in unique[start : start + RUN_SIZE]),
        )
        for start in range(0, len(unique), RUN_SIZE)
    ]
