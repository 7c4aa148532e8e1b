"""What polling read goes into the snapshots and, where it is news, into the inbox: there is one way in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from duebell.books.access import XeroAccess
from duebell.books.polling_compare import contact_is_news, is_news, is_told, payment_is_news
from duebell.books.reading import XeroReader
from duebell.ledger import polls, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.polls import FoundBy, News
from duebell.model import Contact, Invoice, Payment
from duebell.planning.unannounced import unannounced
from duebell.xero.records import Records, T

AT_ONCE = 100
"""Rows a transaction."""

NAMELESS = "without an id,"
"""What a record is called of which not even the id could be read, before its number in this poll."""


class PolledNews:
    """One poll of a tenant: ``found`` counts the events that it made, ``invoices`` are those it told of."""

    def __init__(self, access: XeroAccess, begun_at: datetime) -> None:
        self.reader = XeroReader(access)
        self.found = 0
        self.invoices: set[str] = set()
        self.bad: dict[str, str] = {}
        self._engine = access.resources.engine
        self._clock = access.resources.clock
        self._tenant_id = access.tenant.tenant_id
        self._begun_at = begun_at

    def take_invoices(self, records: Records[Invoice], read_at: datetime, found_by: FoundBy) -> None:
        """Make events of those sales invoices of a page that differ, and then keep the page, bills too.

        Not the other way round: a sweep may remind of what is kept and has no event that waits.
        """
        self._note_bad(records)
        for part in _parts(records):
            read = {one.value.invoice_id: (one.value, one.body) for one in part.good}
            self._tell_of_invoices(read, found_by)
            self.reader.save_invoices(part, read_at)

    def compare(self, invoice_ids: Sequence[str], found_by: FoundBy) -> None:
        """Make events of those kept invoices that differ from when they were last compared, and of those that
        are to be announced after all.
        """
        kept = snapshots.invoices(self._engine, self._tenant_id, invoice_ids)
        self._tell_of_invoices({key: (one.invoice, one.body) for key, one in kept.items()}, found_by)

    def _tell_of_invoices(self, current: Mapping[str, tuple[Invoice, str]], found_by: FoundBy) -> None:
        """The same of what was read, with its text.

        Their contacts are read first, so that those who handle the events find all that they need.
        """
        read = {key: invoice for key, (invoice, _) in current.items()}
        with reading(self._engine) as session:
            kept = snapshots.read_invoices(session, self._tenant_id, list(read))
            again = unannounced(session, self._tenant_id, read.values())
        compared = {key: one.compared for key, one in kept.items()}
        news = [key for key, one in read.items() if key in again or is_news(compared.get(key), one)]
        self.reader.read_contacts_of(read[key] for key in news)
        self._tell((News("INVOICE", key, current[key][1], read[key].updated_at) for key in news), found_by)
        self.invoices.update(news)

    def take_contacts(self, records: Records[Contact], read_at: datetime) -> None:
        """Keep a page of contacts; those that differ become events, before what they differ from is gone."""
        self._note_bad(records)
        for part in _parts(records):
            self._tell_of_contacts(part)
            self.reader.save_contacts(part, read_at)

    def _tell_of_contacts(self, records: Records[Contact]) -> None:
        ids = [record.value.contact_id for record in records.good]
        kept = snapshots.contacts(self._engine, self._tenant_id, ids)
        told = polls.last_told(self._engine, self._tenant_id, ids)
        found: dict[FoundBy, list[News]] = {FoundBy.LIST: [], FoundBy.UNTOLD: []}
        for one in records.good:
            key, updated_at = one.value.contact_id, one.value.updated_at
            news = News("CONTACT", key, one.body, updated_at)
            if contact_is_news(kept[key].contact if key in kept else None, one.value):
                found[FoundBy.LIST].append(news)
            elif not is_told(told.get(key), updated_at):
                # An invoice's reading brought the change along, and nobody was told of it.
                found[FoundBy.UNTOLD].append(news)
        for found_by, several in found.items():
            self._tell(several, found_by)

    def take_payments(self, records: Records[Payment], read_at: datetime) -> None:
        """Make events of the invoices of those payments that they do not reflect.

        An invoice of which this poll told already is looked at anyway, its payments with it. Any other has to
        be read again: what this poll read of it may be from before the payment.
        """
        self._note_bad(records)
        payments = [record.value for record in records.good]
        ids = sorted({one.invoice_id for one in payments if one.invoice_id})
        kept = snapshots.invoices(self._engine, self._tenant_id, ids)
        compared = {key: one.compared for key, one in kept.items()}
        news = (
            News("INVOICE", one.invoice_id, "", one.updated_at, mark=_payment_mark(one))
            for one in payments
            if one.invoice_id
            and one.invoice_id not in self.invoices
            and payment_is_news(one, compared.get(one.invoice_id))
        )
        self._tell(news, FoundBy.PAYMENTS, read_at)

    def _tell(self, news: Iterable[News], found_by: FoundBy, came_at: datetime | None = None) -> None:
        told = list(news)
        for start in range(0, len(told), AT_ONCE):
            kept = polls.keep_news(
                self._engine,
                self._tenant_id,
                told[start : start + AT_ONCE],
                found_by,
                received_at=came_at or self._begun_at,
                now=self._clock(),
            )
            self.found += kept.new

    def _note_bad(self, records: Records[Invoice] | Records[Contact] | Records[Payment]) -> None:
        for one in records.bad:
            self.bad[one.record_id or f"{NAMELESS} {len(self.bad) + 1}"] = one.reason


def _parts(records: Records[T]) -> Iterator[Records[T]]:
    """A page in portions: on SQLite the receiver's answers to Xero wait for each transaction."""
    for start in range(0, len(records.good), AT_ONCE):
        yield replace(records, good=records.good[start : start + AT_ONCE])


def _payment_mark(payment: Payment) -> str:
    updated = payment.updated_at.isoformat(timespec="milliseconds") if payment.updated_at else ""
    return f"payment:{payment.payment_id}:{payment.status.value}:{updated}"
