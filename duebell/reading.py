"""Reading Xero into the snapshots, with as few calls as the freshness that is asked for allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from duebell.access import XeroAccess
from duebell.errors import RecordNotFound, Transient
from duebell.ledger import snapshots
from duebell.model import Contact, Invoice, InvoiceType
from duebell.xero.reader import compact_json, read_json
from duebell.xero.records import BadRecord, Record, Records
from duebell.xero.transfer import AnswerTooLarge

CONTACT_KEEPS = timedelta(hours=1)
"""How long a contact's snapshot serves when invoices are read many at once, as lists carry only stubs.

Contact events renew it in between; a single invoice brings its contact along for nothing.
"""

LARGEST_PAGE, SMALLEST_PAGE = 1_000, 60
"""Invoices a page in the first sync; a page whose answer is too large is asked for in halves."""

FEW = 2
"""Up to so many invoices are read one by one: each call then brings the whole contact along."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of each record that was asked for. ``fresh`` needed no call."""

    fresh: int
    read: int
    missing: tuple[str, ...] = ()
    bad: tuple[tuple[str, str], ...] = ()


class XeroReader:
    """Reads one tenant's records into its snapshots."""

    def __init__(self, access: XeroAccess) -> None:
        self._access = access
        self._client = access.client
        self._engine = access.resources.engine
        self._clock = access.resources.clock
        self._tenant_id = access.tenant.tenant_id

    def invoices(self, invoice_ids: Sequence[str], *, since: datetime) -> Reading:
        """Have every invoice, and the contact of every sales invoice, as read at ``since`` or later.

        Raises what the client raises; a record that cannot be read or found is reported, not raised.
        """
        kept = snapshots.invoices(self._engine, self._tenant_id, invoice_ids)
        stale = [one for one in dict.fromkeys(invoice_ids) if one not in kept or kept[one].read_at < since]
        if not stale:
            return Reading(fresh=len(kept), read=0)
        now = self._clock()
        records = (
            self._single(stale)
            if len(stale) <= FEW
            else self._access.ask(lambda: self._client.invoices(stale))
        )
        self._save(records, now)
        self._read_contacts_of(record.value for record in records.good)
        return Reading(
            fresh=len(set(invoice_ids)) - len(stale),
            read=len(records.good),
            missing=records.missing,
            bad=tuple((bad.record_id, bad.reason) for bad in records.bad),
        )

    def contacts(self, contact_ids: Sequence[str], *, since: datetime) -> Reading:
        """Have every contact as read at ``since`` or later."""
        kept = snapshots.contacts(self._engine, self._tenant_id, contact_ids)
        stale = [one for one in dict.fromkeys(contact_ids) if one not in kept or kept[one].read_at < since]
        if not stale:
            return Reading(fresh=len(kept), read=0)
        now = self._clock()
        records = self._access.ask(lambda: self._client.contacts(stale))
        self._save_contacts(records.good, now)
        return Reading(
            fresh=len(set(contact_ids)) - len(stale),
            read=len(records.good),
            missing=records.missing,
            bad=tuple((bad.record_id, bad.reason) for bad in records.bad),
        )

    def first_sync(self, watched_from: datetime) -> int:
        """Read every invoice as known, but for those updated since ``watched_from``; returns how many.

        Pages shift when a record is edited during the walk, and one may slip between two pages; so the walk
        is made again until as many have been seen as Xero counts.
        """
        seen: set[str] = set()
        for _ in range(5):
            expected = self._walk(watched_from, seen)
            if len(seen) >= expected:
                return len(seen)
        raise Transient(f"tenant {self._tenant_id}: records move faster than they can be read")

    def _walk(self, watched_from: datetime, seen: set[str], size: int = LARGEST_PAGE) -> int:
        page, pages, expected = 1, 1, 0
        while page <= pages:
            now = self._clock()
            try:
                records = self._page(page, size)
            except AnswerTooLarge:
                if size <= SMALLEST_PAGE:
                    raise
                return self._walk(watched_from, seen, size // 2)
            pairs = [(record.value, record.body) for record in records.good]
            snapshots.save_invoices(
                self._engine, self._tenant_id, pairs, read_at=now, silent_until=watched_from
            )
            seen.update(record.value.invoice_id for record in records.good)
            seen.update(bad.record_id or f"page {page}, {n}" for n, bad in enumerate(records.bad))
            pages, expected = records.page_count or 1, records.item_count or len(records.good)
            page += 1
        return expected

    def _page(self, page: int, size: int) -> Records[Invoice]:
        return self._access.ask(lambda: self._client.invoice_page(page, size))

    def _single(self, invoice_ids: Sequence[str]) -> Records[Invoice]:
        good: list[Record[Invoice]] = []
        bad: list[BadRecord] = []
        missing: list[str] = []
        for invoice_id in invoice_ids:
            try:
                records = self._access.ask(lambda: self._client.invoice(invoice_id))  # noqa: B023 - asked at once
            except RecordNotFound:
                missing.append(invoice_id)
            else:
                good += records.good
                bad += records.bad
                missing += records.missing
        return Records(good=tuple(good), bad=tuple(bad), missing=tuple(missing))

    def _save(self, records: Records[Invoice], now: datetime) -> None:
        pairs = [(record.value, record.body) for record in records.good]
        snapshots.save_invoices(self._engine, self._tenant_id, pairs, read_at=now)
        embedded = [
            (invoice.contact, compact_json(_field(body, "Contact")))
            for invoice, body in pairs
            if invoice.contact is not None
        ]
        snapshots.save_contacts(self._engine, self._tenant_id, embedded, read_at=now)

    def _save_contacts(self, records: Iterable[Record[Contact]], now: datetime) -> None:
        snapshots.save_contacts(
            self._engine,
            self._tenant_id,
            ((record.value, record.body) for record in records),
            read_at=now,
        )

    def _read_contacts_of(self, invoices: Iterable[Invoice]) -> None:
        wanted = {
            invoice.contact_id
            for invoice in invoices
            if invoice.type is InvoiceType.SALE and invoice.contact_id and invoice.contact is None
        }
        if wanted:
            self.contacts(sorted(wanted), since=self._clock() - CONTACT_KEEPS)


def _field(body: str, name: str) -> object:
    record = read_json(body)
    return cast("dict[str, object]", record).get(name) if isinstance(record, dict) else None
