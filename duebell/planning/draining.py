"""Handling claimed events: compare what was read with what was known, plan what follows, close the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duebell.audit import Entry
from duebell.books.reading import Reading, of_its_contact
from duebell.changes import (
    Change,
    DueDateMoved,
    InvoiceIssued,
    InvoiceReopened,
    InvoiceWithdrawn,
    NothingToTell,
    PaymentReceived,
    PaymentReversed,
    changes_of_invoice,
    in_words,
    lists_payments,
)
from duebell.deciding.deciding import Rules
from duebell.deciding.known import Known, known_of
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED, is_contact
from duebell.ledger import inbox, payments, planning_turns, scheduled, snapshots
from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.model import InvoiceType
from duebell.planning.planning import plan_kind
from duebell.planning.unannounced import after_all
from duebell.states import NotificationState

RETRY_AFTER = timedelta(minutes=2)
MOST_ATTEMPTS = 6
GIVEN_UP = "given up"
RUN_SIZE = 25
"""Records a run: small enough to be read in the UI, large enough to be cheap."""

ACTOR = "process_xero_events"


@dataclass(frozen=True, slots=True)
class RunToStart:
    """One deployment run: its kind and the records that it is about.

    ``parameter`` is the name under which the flow takes the ids; ``numbers`` are those of its invoices.
    """

    kind: str
    record_ids: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    parameter: str = "invoice_ids"


def record_changes(
    book: Writing,
    tenant_id: str,
    events: Sequence[ClaimedEvent],
    reading: Reading,
    rules: Rules,
    *,
    flow_run_id: str | None,
) -> list[RunToStart]:
    """Turn claimed events about invoices into notifications and close them, all in this one transaction.

    An event whose record could not be read is left for later, and given up after ``MOST_ATTEMPTS``.
    """
    planning_turns.plans(book, tenant_id)
    about_invoices = [event for event in events if event.category == "INVOICE"]
    ids = [event.resource_id for event in about_invoices]
    snapshots.hold(book.session, tenant_id, ids)  # all at once: one by one, who reads them would wait too
    known = known_of(book.session, tenant_id, ids)
    found = _compared(book, tenant_id, about_invoices, reading, known)
    scheduled.look_soon_at_invoices(book, tenant_id, found)
    again = after_all(book, tenant_id, [known[one].read for one in found])
    runs: list[RunToStart] = []
    for kind, ids in concerned(found, again).items():
        runs += runs_for(book, _planned(book, tenant_id, kind, ids, rules, flow_run_id))
    return runs


def _compared(
    book: Writing,
    tenant_id: str,
    events: Sequence[ClaimedEvent],
    reading: Reading,
    known: Mapping[str, Known],
) -> dict[str, tuple[Change, ...]]:
    """What happened to each invoice; the events of those that could be read are closed with it."""
    found: dict[str, tuple[Change, ...]] = {}
    for event in events:
        one = known.get(event.resource_id)
        if one is None or _is_unread(one, event):
            leave(book, tenant_id, event, reading, one)
            continue
        if event.resource_id not in found:
            found[event.resource_id] = compare(book, tenant_id, one)
        inbox.finish(book, event, in_words(found[event.resource_id]))
    return found


def _planned(
    book: Writing, tenant_id: str, kind: str, ids: Sequence[str], rules: Rules, flow_run_id: str | None
) -> list[Notification]:
    """An event plans what is news; of reminders it only decides anew what waits."""
    return plan_kind(book, tenant_id, kind, ids, rules, actor=ACTOR, flow_run_id=flow_run_id, begins=False)


def _is_unread(one: Known, event: ClaimedEvent) -> bool:
    """Whether the record, or the contact that it would be told to, could not be read since the event came."""
    if one.read.read_at < event.received_at:
        return True
    invoice = one.read.invoice
    lacks_contact = invoice.type is InvoiceType.SALE and bool(invoice.contact_id) and one.contact is None
    return lacks_contact and event.attempts < MOST_ATTEMPTS


def compare(book: Writing, tenant_id: str, one: Known) -> tuple[Change, ...]:
    """What happened to an invoice since the last comparison, its payments written down."""
    invoice = one.read.invoice
    changes = changes_of_invoice(one.read.compared, invoice)
    for change in changes:
        match change:
            case PaymentReceived(payment=payment):
                payments.received(book, tenant_id, invoice.invoice_id, payment)
            case PaymentReversed(payment=payment):
                payments.reversed_(book, tenant_id, invoice.invoice_id, payment)
            case _:
                pass
    compared = one.read.compared
    # A summary must not take the place of a record by which the next payment will be told from the last.
    if compared is None or lists_payments(invoice) or not lists_payments(compared):
        snapshots.mark_compared(book.session, tenant_id, invoice.invoice_id, one.read.body)
    return changes


CONCERNS: dict[type[Change], tuple[str, ...]] = {
    # What is true of an invoice is decided anew for every kind that may wait to be said about it.
    InvoiceIssued: (INVOICE_ISSUED,),
    InvoiceWithdrawn: (INVOICE_ISSUED, PAYMENT_RECEIVED, INVOICE_OVERDUE),
    InvoiceReopened: (INVOICE_ISSUED, INVOICE_OVERDUE),
    DueDateMoved: (INVOICE_OVERDUE,),
    PaymentReceived: (PAYMENT_RECEIVED, INVOICE_OVERDUE),
    PaymentReversed: (PAYMENT_RECEIVED, INVOICE_OVERDUE),
    NothingToTell: (),
}
"""Which kinds of notification a change is about. Of reminders only those that wait are decided anew."""


def concerned(found: dict[str, tuple[Change, ...]], again: Sequence[str] = ()) -> dict[str, list[str]]:
    """The invoices that each kind of notification has to be planned for; ``again`` are to be announced."""
    kinds: dict[str, list[str]] = {INVOICE_ISSUED: list(again)} if again else {}
    for invoice_id, changes in found.items():
        for kind in dict.fromkeys(kind for change in changes for kind in CONCERNS[type(change)]):
            if invoice_id not in kinds.setdefault(kind, []):
                kinds[kind].append(invoice_id)
    return kinds


def runs_for(book: Writing, rows: Sequence[Notification]) -> list[RunToStart]:
    """The runs for what is now to be told: each message by the run of its lead's kind."""
    told = [row for row in rows if row.state == NotificationState.PLANNED.value]
    if not told:
        return []
    numbers = snapshots.numbers_by_id(book.session, told[0].tenant_id, [row.invoice_id for row in told])
    kinds = dict.fromkeys(row.kind for row in told if row.lead_id is None)
    return [run for kind in kinds for run in _runs_of(kind, told, numbers)]


def _runs_of(kind: str, told: Sequence[Notification], numbers: dict[str, str]) -> list[RunToStart]:
    """The runs for what is now to be told; what is told in another's message goes with that one's run.

    A team's daily message may be about hundreds of invoices, which its run finds by the one that leads.
    """
    leads = {row.notification_id: row.invoice_id for row in told if row.lead_id is None and row.kind == kind}
    groups: dict[int | None, list[str]] = {lead: [invoice_id] for lead, invoice_id in leads.items()}
    for row in told:
        if row.lead_id in groups and is_contact(row.recipient):
            groups[row.lead_id].append(row.invoice_id)
    runs: list[list[str]] = [[]]
    for group in groups.values():
        if len(runs[-1]) + len(group) > RUN_SIZE and runs[-1]:
            runs.append([])
        runs[-1] += [one for one in group if one not in runs[-1]]
    return [RunToStart(kind, tuple(ids), tuple(numbers.get(one, "") for one in ids)) for ids in runs if ids]


def sentence(handled: int) -> str:
    """What a drain came to in words, for the run's state."""
    return f"{handled} events handled"


def leave(
    book: Writing, tenant_id: str, event: ClaimedEvent, reading: Reading, known: Known | None = None
) -> None:
    """Leave an event whose record, or the contact of that, could not be read for later, or give it up."""
    why = _why_unread(event.resource_id, reading, known.read.invoice.contact_id if known else None)
    if event.attempts < MOST_ATTEMPTS:
        inbox.put_back(book, event, why, _later(book.now, event.attempts))
    elif inbox.finish(book, event, f"{GIVEN_UP}: {why}"):
        told = {"event": event.event_id, "looks": event.attempts, "why": why}
        kind = event.category.lower()
        book.audit(Entry(ACTOR, "event given up", kind, event.resource_id, tenant_id, details=told))


def _why_unread(record_id: str, reading: Reading, contact_id: str | None) -> str:
    unread = reading.unread
    if record_id not in unread and contact_id in unread:
        return of_its_contact(unread[contact_id])
    return unread.get(record_id, "the record could not be read")


def _later(now: datetime, attempts: int) -> datetime:
    return now + RETRY_AFTER * 2 ** (attempts - 1)
