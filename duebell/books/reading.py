"""Reading Xero into the snapshots, with as few calls as the freshness that is asked for allows."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from typing import cast

from duebell.books.access import XeroAccess
from duebell.books.pages import served_page
from duebell.books.portions import LARGEST_PAGE, TOO_MUCH, UNSERVED, Portions, others_of, smaller
from duebell.errors import RecordNotFound, Transient
from duebell.ledger import freshness, snapshots
from duebell.ledger.freshness import CONTACT_KEEPS, is_since
from duebell.ledger.merges import MOST_MERGES
from duebell.model import Contact, Invoice, InvoiceType
from duebell.xero import queries
from duebell.xero.queries import IDS_PER_QUERY
from duebell.xero.reader import compact_json, read_json
from duebell.xero.records import Records, T, joined

FEW = 2
"""Up to so many invoices are read one by one: each call then brings the whole contact along."""


NO_SUCH_RECORD = "Xero knows no such record"


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of each record that was asked for. ``fresh`` needed no call."""

    fresh: int
    read: int
    missing: tuple[str, ...] = ()
    bad: tuple[tuple[str, str], ...] = ()

    @property
    def unread(self) -> dict[str, str]:
        """The records that Xero did not give, with the reason."""
        return {**dict.fromkeys(self.missing, NO_SUCH_RECORD), **dict(self.bad)}


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
        stale = self.stale(invoice_ids, since)
        known = partial(freshness.lately_read, self._engine, self._tenant_id)
        portions = Portions(self._read_invoices_at_once, others_of(stale, known))
        return self._read_stale(invoice_ids, stale, portions)

    def _read_stale(
        self, invoice_ids: Sequence[str], stale: Sequence[str], portions: Portions[Invoice]
    ) -> Reading:
        pieces = [(one,) for one in stale] if len(stale) <= FEW else queries.chunks(queries.record_ids(stale))
        found = joined([portions.of(piece) for piece in pieces])
        self.read_contacts_of(record.value for record in found.good)
        return _reading(invoice_ids, stale, found)

    def stale(self, invoice_ids: Sequence[str], since: datetime) -> list[str]:
        """Those of the invoices that were not read since."""
        read, now = freshness.read_times(self._engine, self._tenant_id, invoice_ids), self._clock()
        return [one for one in dict.fromkeys(invoice_ids) if not is_since(read.get(one), since, now)]

    def _read_invoices_at_once(self, ids: tuple[str, ...]) -> Records[Invoice]:
        """One call, kept at once: what it cost is not lost where a later one fails."""
        now = self._clock()
        records = (
            self._single(ids[0]) if len(ids) == 1 else self._access.ask(lambda: self._client.invoices(ids))
        )
        self.save_invoices(records, now)
        return records

    def contacts(self, contact_ids: Sequence[str], *, since: datetime) -> Reading:
        """Have every contact as read at ``since`` or later."""
        wanted = self._stale_contacts(contact_ids, since)
        known = freshness.contacts_known(self._engine, self._tenant_id) if len(wanted) > IDS_PER_QUERY else 0
        if math.ceil(max(known, len(wanted)) / LARGEST_PAGE) < math.ceil(len(wanted) / IDS_PER_QUERY):
            self._list_contacts(frozenset(wanted))
        stale = self._stale_contacts(wanted, since)
        found = self._read_contacts(stale)
        # Asked for all of them: what polling read itself needs no call, and may be how the merge was learned.
        self._read_survivors(contact_ids, since)
        return _reading(contact_ids, wanted, found)

    def _read_survivors(self, contact_ids: Sequence[str], since: datetime) -> None:
        """Of contacts that were merged into others, those others too."""
        ids = list(contact_ids)
        for _ in range(MOST_MERGES):
            if not ids:
                return
            ids = freshness.merged_into(self._engine, self._tenant_id, ids)
            self._read_contacts(self._stale_contacts(ids, since))

    def _stale_contacts(self, contact_ids: Sequence[str], since: datetime) -> list[str]:
        read, now = freshness.contact_read_times(self._engine, self._tenant_id, contact_ids), self._clock()
        return [one for one in dict.fromkeys(contact_ids) if not is_since(read.get(one), since, now)]

    def _read_contacts(self, ids: Sequence[str]) -> Records[Contact]:
        known = partial(freshness.lately_read_contacts, self._engine, self._tenant_id)
        portions = Portions(self._read_contacts_at_once, others_of(ids, known))
        return joined([portions.of(piece) for piece in queries.chunks(queries.record_ids(ids))])

    def _read_contacts_at_once(self, ids: tuple[str, ...]) -> Records[Contact]:
        now = self._clock()
        records = self._access.ask(lambda: self._client.contacts(ids))
        self.save_contacts(records, now)
        return records

    def _list_contacts(self, wanted: frozenset[str]) -> None:
        """Read the list of all contacts, as long as that takes fewer calls than the ids that are left."""
        left, page, pages = set(wanted), 1, 1
        while left and page <= pages and pages - page < math.ceil(len(left) / IDS_PER_QUERY):
            now = self._clock()
            try:
                records = self._access.ask(lambda: self._client.contact_page(page))  # noqa: B023 - asked at once
            except (*TOO_MUCH, *UNSERVED):
                return
            self.save_contacts(records.only(wanted), now)
            left -= {one.value.contact_id for one in records.good}
            page, pages = page + 1, records.page_count or 1

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

    def read_unknown_contacts(self) -> None:
        """Have the contact of every open sales invoice, where it was never read.

        Nobody tells of a contact that does not change, and the sweep, which reads nothing, reminds nobody of
        whom it knows no number.
        """
        unknown = freshness.unknown_contacts(self._engine, self._tenant_id)
        if unknown:
            self.contacts(unknown, since=self._clock() - CONTACT_KEEPS)

    def contacts_in_time(self, invoice_ids: Collection[str]) -> dict[str, str]:
        """Have the contacts of these sales invoices, as far as they are known, an hour old at most.

        Returns those of the invoices whose contact cannot be read, with the reason.
        """
        named = freshness.contacts_of(self._engine, self._tenant_id, invoice_ids)
        read = self.contacts(sorted(set(named.values())), since=self._clock() - CONTACT_KEEPS)
        return {one: of_its_contact(read.unread[to]) for one, to in named.items() if to in read.unread}

    def _walk(self, watched_from: datetime, seen: set[str], size: int = LARGEST_PAGE) -> int:
        page, pages, expected, nameless = 1, 1, 0, count()
        while page <= pages:
            now = self._clock()
            try:
                records = self._page(page, size)
            except TOO_MUCH as problem:
                return self._walk(watched_from, seen, smaller(size, problem))
            pairs = [(record.value, record.body) for record in records.good]
            kept_at = self._clock()
            snapshots.save_invoices(
                self._engine, self._tenant_id, pairs, read_at=now, now=kept_at, silent_until=watched_from
            )
            seen.update(record.value.invoice_id for record in records.good)
            seen.update(bad.record_id or f"nameless {next(nameless)}" for bad in records.bad)
            pages, expected = records.page_count or 1, records.item_count or len(records.good)
            page += 1
        return expected

    def _page(self, page: int, size: int) -> Records[Invoice]:
        return served_page(
            lambda number, of: self._access.ask(lambda: self._client.invoice_page(number, of)), page, size
        )

    def _single(self, invoice_id: str) -> Records[Invoice]:
        try:
            return self._access.ask(lambda: self._client.invoice(invoice_id))
        except RecordNotFound:
            return Records(missing=(invoice_id,))

    def save_invoices(self, records: Records[Invoice], read_at: datetime) -> None:
        """Keep invoices, and the contacts that came whole with them, as read at ``read_at``."""
        pairs = [(record.value, record.body) for record in records.good]
        now = self._clock()
        snapshots.save_invoices(self._engine, self._tenant_id, pairs, read_at=read_at, now=now)
        embedded = [
            (invoice.contact, compact_json(_field(body, "Contact")))
            for invoice, body in pairs
            if invoice.contact is not None
        ]
        snapshots.save_contacts(self._engine, self._tenant_id, embedded, read_at=read_at, now=now)

    def save_contacts(self, records: Records[Contact], read_at: datetime) -> None:
        """Keep contacts as read at ``read_at``."""
        pairs = ((record.value, record.body) for record in records.good)
        now = self._clock()
        snapshots.save_contacts(self._engine, self._tenant_id, pairs, read_at=read_at, now=now)

    def read_contacts_of(self, invoices: Iterable[Invoice]) -> None:
        """Have the contact of every sales invoice that did not bring its own, an hour old at most.

        Where it brought one that was merged into another, that other is read.
        """
        sales = [one for one in invoices if one.type is InvoiceType.SALE and one.contact_id]
        wanted = {one.contact_id for one in sales if one.contact_id and one.contact is None}
        if wanted:
            self.contacts(sorted(wanted), since=self._clock() - CONTACT_KEEPS)
        brought = [one.contact for one in sales if one.contact]
        merged = [one.contact_id for one in brought if one.merged_to]
        self._read_survivors(merged, self._clock() - CONTACT_KEEPS)


def of_its_contact(why: str) -> str:
    """Why nothing can be said of an invoice whose contact cannot be read."""
    return f"its contact could not be read: {why}"


def _reading(asked: Sequence[str], stale: Sequence[str], found: Records[T]) -> Reading:
    return Reading(
        fresh=len(set(asked)) - len(stale),
        read=len(stale) - len(found.missing) - len(found.bad),
        missing=found.missing,
        bad=tuple((bad.record_id, bad.reason) for bad in found.bad),
    )


def _field(body: str, name: str) -> object:
    record = read_json(body)
    return cast("dict[str, object]", record).get(name) if isinstance(record, dict) else None
