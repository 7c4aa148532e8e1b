"""One organisation's books: its records as Xero sends them, and what each change of them is to Xero.

The records are kept as Xero sends them, so that books loaded from a recorded answer are served as they were.
What an accountant does in them stands in ``invoicing``, ``cashbook``, ``crediting`` and ``addressbook``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.sandbox.documents import stamp
from deployments.sandbox.wire import Record, ms_date, record_of, text_of

INVOICE, CONTACT = "INVOICE", "CONTACT"
# Which categories tell more than ids (xero-webhooks.yaml of Xero-OpenAPI, and its pull request 824).
_TOLD = {
    "CREDITNOTE": ("Type", "Status"),
    "PREPAYMENT": ("Type", "Status", "UpdatedDateUTCString"),
    "OVERPAYMENT": ("Type", "Status", "UpdatedDateUTCString"),
}


class BookkeepingError(Exception):
    """Xero's screens would not offer this: the record is unknown, or not in a state for it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What Xero rings about: a category, ``CREATE`` or ``UPDATE``, and what the newer categories tell."""

    tenant_id: str
    category: str
    type: str
    resource_id: str
    at: datetime
    data: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass
class Group:
    """A contact group and the ids of its members."""

    group_id: str
    name: str
    status: str = "ACTIVE"
    members: set[str] = field(default_factory=set[str])


@dataclass
class Books:
    """A tenant: its organisation record, its documents by id, and whether our app is connected.

    ``payments`` holds what ``GET /Payments`` answers, removed ones too; ``credits`` holds credit notes,
    prepayments and overpayments; ``notes`` the history notes of each invoice.
    """

    tenant_id: str
    organisation: Record
    connection_id: str
    connected_at: datetime
    contacts: dict[str, Record] = field(default_factory=dict[str, Record])
    invoices: dict[str, Record] = field(default_factory=dict[str, Record])
    payments: dict[str, Record] = field(default_factory=dict[str, Record])
    credits: dict[str, Record] = field(default_factory=dict[str, Record])
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    tracking: dict[str, Record] = field(default_factory=dict[str, Record])
    themes: dict[str, Record] = field(default_factory=dict[str, Record])
    notes: dict[str, list[Record]] = field(default_factory=dict[str, list[Record]])
    reminders: bool = False
    connected: bool = True
    last_number: int = 1000
    _last_change: datetime | None = None
    _by_contact: dict[str, list[Record]] | None = None

    def tick(self, now: datetime) -> datetime:
        """The time of the next change: it has milliseconds, and no two steps of an organisation share one."""
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if self._last_change is not None and now <= self._last_change:
            now = self._last_change + timedelta(milliseconds=1)
        self._last_change = now
        return now

    def forget_last_change(self) -> None:
        """Let the next change bear an earlier time than the last; for entering the past."""
        self._last_change = None

    def invoice(self, invoice_id: str, *statuses: str) -> Record:
        """The invoice of this id, in one of these states where any are named. Raises ``BookkeepingError``."""
        record = _found(self.invoices, "invoice", invoice_id)
        if statuses and text_of(record, "Status") not in statuses:
            raise BookkeepingError(f"invoice {invoice_id} is {text_of(record, 'Status')}")
        return record

    def contact(self, contact_id: str) -> Record:
        """The contact of this id. Raises ``BookkeepingError`` where there is none."""
        return _found(self.contacts, "contact", contact_id)

    def payment(self, payment_id: str) -> Record:
        """The payment of this id, removed or not. Raises ``BookkeepingError`` where there is none."""
        return _found(self.payments, "payment", payment_id)

    def credit(self, credit_id: str) -> Record:
        """The credit note, prepayment or overpayment. Raises ``BookkeepingError`` where there is none."""
        return _found(self.credits, "credit", credit_id)

    def group(self, group_id: str) -> Group:
        """The contact group of this id. Raises ``BookkeepingError`` where there is none."""
        if group_id not in self.groups:
            raise BookkeepingError(f"no contact group {group_id}")
        return self.groups[group_id]

    def next_number(self, prefix: str = "INV") -> str:
        """The next number of this organisation for an invoice or another document."""
        self.last_number += 1
        return f"{prefix}-{self.last_number}"

    def invoices_of(self, contact_id: str) -> list[Record]:
        """The invoices and bills of one contact."""
        if self._by_contact is None:
            self._by_contact = {}
            for row in self.invoices.values():
                named = text_of(record_of(row.get("Contact")), "ContactID")
                self._by_contact.setdefault(named, []).append(row)
        return self._by_contact.get(contact_id, [])

    def keep_invoice(self, record: Record) -> None:
        """Keep an invoice without a word: no new time of change, and nothing to ring about."""
        self.invoices[text_of(record, "InvoiceID")] = record
        self._by_contact = None

    def save_invoice(self, record: Record, at: datetime, *, created: bool = False) -> Change:
        """Keep an invoice as changed at a time that ``tick`` gave."""
        self.keep_invoice(record | stamp(at))
        return self._change(INVOICE, text_of(record, "InvoiceID"), at, created=created)

    def save_contact(self, record: Record, at: datetime, *, created: bool = False) -> Change:
        """Keep a contact as changed at a time that ``tick`` gave."""
        contact_id = text_of(record, "ContactID")
        self.contacts[contact_id] = record | {"UpdatedDateUTC": ms_date(at)}
        return self._change(CONTACT, contact_id, at, created=created)

    def save_credit(self, category: str, record: Record, at: datetime, *, created: bool = False) -> Change:
        """Keep a credit note, prepayment or overpayment as changed at a time that ``tick`` gave."""
        credit_id = text_of(record, "ID")
        self.credits[credit_id] = record | stamp(at)
        return self._change(category, credit_id, at, created=created)

    def save_payment(self, record: Record, at: datetime) -> None:
        """Keep a payment as changed at a time that ``tick`` gave; Xero rings about none."""
        self.payments[text_of(record, "PaymentID")] = record | stamp(at)

    def _change(self, category: str, resource_id: str, at: datetime, *, created: bool) -> Change:
        told = _TOLD.get(category, ())
        data = {name: text_of(self.credits[resource_id], name) for name in told}
        return Change(self.tenant_id, category, "CREATE" if created else "UPDATE", resource_id, at, data)


def _found(shelf: Mapping[str, Record], kind: str, record_id: str) -> Record:
    if record_id not in shelf:
        raise BookkeepingError(f"no {kind} {record_id}")
    return shelf[record_id]
