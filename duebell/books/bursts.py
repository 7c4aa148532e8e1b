"""Reading many invoices that many runs wait for: one list for all, where their ids would take many calls."""

import math
import random
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from duebell.books.polling_seek import OVERLAP, Ask, ListNotFiltered, seek
from duebell.books.portions import NOT_HAD_NOW, Portions
from duebell.books.reading import Reading, XeroReader
from duebell.ledger import awaiting, freshness
from duebell.ledger.awaiting import Waiting
from duebell.model import Invoice
from duebell.xero.queries import IDS_PER_QUERY, PAGE_SIZE
from duebell.xero.records import Records

MARGIN = timedelta(minutes=2)
"""How much further back than needed a list is asked for: lists lag, and Xero's clock is not ours."""

SOON = timedelta(seconds=45)
"""What would become too old within this time is read along, so that one call serves the next minute."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list of what changed gave; ``read_at`` is empty unless all of it was read and its clock fits."""

    found: frozenset[str]
    read_at: datetime | None


def is_cheaper_by_list(wanted: int, changed: int) -> bool:
    """Whether a list of what changed, so many as far as we know, takes fewer calls than ``wanted`` ids do."""
    return math.ceil((wanted + changed) / PAGE_SIZE) < math.ceil(wanted / IDS_PER_QUERY)


class BurstReader(XeroReader):
    """Reads one tenant's invoices for all who wait for them."""

    def changed(self, invoice_ids: Sequence[str], *, since: datetime) -> Reading:
        """What events named: every invoice, and its contact, as read at ``since`` or later.

        Where many events wait, one list of what changed since the oldest of them serves them all, those that
        nobody has taken yet too. An invoice that is not in it is read by its id: its event says that it
        changed, so that its absence proves nothing.
        """
        waiting = awaiting.events(self._engine, self._tenant_id)
        listed = self._list_of_changes(waiting).found if self._is_worth_a_list(waiting) else frozenset[str]()
        read = self.invoices(invoice_ids, since=since)
        # Where an earlier drain came to its end between the invoices and their contacts.
        unknown = freshness.unknown_contacts(self._engine, self._tenant_id, invoice_ids)
        contacts = self.contacts(unknown, since=since)
        return _with(replace(read, bad=read.bad + contacts.bad), listed)

    def look_again(self, invoice_ids: Sequence[str], *, since: datetime) -> Reading:
        """What messages are about to say: every invoice as known to stand at ``since`` or later.

        The first run that finds its invoices too old reads those of every waiting message of the tenant, and
        the others wait for it: 40 runs of one burst cost one call a minute and not 40.
        """
        who, listed = uuid.uuid4().hex, frozenset[str]()
        while self._others_wait(invoice_ids, since):
            if awaiting.take_reading(self._engine, self._tenant_id, who, now=self._clock()):
                try:
                    listed = self._refresh(self.stale(invoice_ids, since), since)
                finally:
                    awaiting.end_reading(self._engine, self._tenant_id, who, now=self._clock())
                break
            self._access.sleep(0.2 + 0.3 * random.random())  # noqa: S311 - it spreads looks, it guards nothing
        read = self.invoices(invoice_ids, since=since)
        # Invoices that somebody else read, or that a list confirmed, prove nothing of their contacts.
        unread = self.contacts_in_time(invoice_ids)
        return _with(replace(read, bad=(*read.bad, *unread.items())), listed)

    def _others_wait(self, invoice_ids: Sequence[str], since: datetime) -> bool:
        """Whether the invoices have to be read, and others of the tenant as well."""
        if not self.stale(invoice_ids, since):
            return False
        return any(one.invoice_id not in invoice_ids for one in self._awaiting_messages(since))

    def _awaiting_messages(self, before: datetime) -> tuple[Waiting, ...]:
        now = self._clock()
        return awaiting.messages(self._engine, self._tenant_id, before=before, now=now)

    def _refresh(self, stale: Sequence[str], since: datetime) -> frozenset[str]:
        """Read for all who wait; ``stale`` are the invoices that the caller itself needs, none any more."""
        waiting = self._awaiting_messages(since + SOON) if stale else ()
        if not self._is_worth_a_list(waiting):
            room = IDS_PER_QUERY * math.ceil(len(stale) / IDS_PER_QUERY)
            ids = dict.fromkeys([*stale, *(one.invoice_id for one in waiting)])
            self._read_along(list(ids)[:room], since + SOON)
            return frozenset()
        listed = self._list_of_changes(waiting)
        if listed.read_at is not None:
            unchanged = {
                one.invoice_id: one.known_at for one in waiting if one.invoice_id not in listed.found
            }
            freshness.confirm(self._engine, self._tenant_id, unchanged, read_at=listed.read_at)
            # The list brings the contact of what it shows alone.
            with suppress(*NOT_HAD_NOW):
                self.contacts_in_time(unchanged)
        return listed.found

    def _read_along(self, invoice_ids: Sequence[str], since: datetime) -> None:
        """Read these in as few calls as if they were the caller's own, or leave them.

        One that Xero cannot serve is found by the run that tells of it; until then every run reads its own.
        """
        portions = Portions(self._read_invoices_at_once)
        with suppress(*NOT_HAD_NOW):
            self._read_stale(invoice_ids, self.stale(invoice_ids, since), portions)

    def _is_worth_a_list(self, waiting: Sequence[Waiting]) -> bool:
        if len(waiting) <= IDS_PER_QUERY:
            return False
        since = min(one.known_at for one in waiting) - MARGIN
        changed = freshness.changed_since(self._engine, self._tenant_id, since)
        return is_cheaper_by_list(len(waiting), changed)

    def _list_of_changes(self, waiting: Sequence[Waiting]) -> Listed:
        """Read what changed since the oldest of these, and keep those that are waited for.

        Never more pages than the ids themselves would take calls.
        """
        wanted, began = {one.invoice_id for one in waiting}, self._clock()
        since = min(one.known_at for one in waiting) - MARGIN
        most, found, ended = math.ceil(len(wanted) / IDS_PER_QUERY), set[str](), None
        try:
            # The walk goes back by an overlap of its own, which a cursor needs and this does not.
            for records, upto in islice(seek(self._changes, since + OVERLAP), most):
                found |= self._keep(records, wanted, began)
                ended = upto
        except (ListNotFiltered, *NOT_HAD_NOW):
            ended = None  # what is waited for is then read by its id
        return Listed(frozenset(found), began if self._fits(ended) else None)

    def _changes(self, ask: Ask, size: int) -> Records[Invoice]:
        return self._access.ask(lambda: self._client.invoice_page(ask.page, size, modified_since=ask.since))

    def _keep(self, records: Records[Invoice], wanted: Collection[str], read_at: datetime) -> set[str]:
        kept = records.only(wanted)
        for start in range(0, len(kept.good), freshness.AT_ONCE):
            self.save_invoices(Records(good=kept.good[start : start + freshness.AT_ONCE]), read_at)
        self.read_contacts_of(record.value for record in kept.good)
        return {record.value.invoice_id for record in kept.good} | {one.record_id for one in kept.bad}

    def _fits(self, server_time: datetime | None) -> bool:
        """Whether the list was read to its end, and asked for far enough back by the server's own clock."""
        return server_time is not None and self._clock() - server_time < MARGIN / 2


def _with(reading: Reading, listed: Collection[str]) -> Reading:
    return replace(reading, read=reading.read + len(listed))
