"""Reading the customers' credit that is not allocated yet, where reminders look at it.

The first reading of a list, and one a day after it, takes all that is open; between them only what changed is
asked for. A call a list, of which there are three: credit notes, prepayments and overpayments.
"""

import random
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import Engine

from duebell.books.access import XeroAccess
from duebell.books.polling_seek import Ask, seek
from duebell.books.portions import LARGEST_PAGE, TOO_MUCH, smaller
from duebell.errors import ScopeMissing, Transient
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import awaiting, credits, polls
from duebell.ledger.engine import reading
from duebell.ledger.inbox import ALLOCATED, ClaimedEvent
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Notification
from duebell.model import Credit, CreditKind
from duebell.policy_file.overdue import CreditHolds
from duebell.xero.records import Records

POLLED_EVERY = timedelta(minutes=55)
"""About once an hour, by whichever poll comes next. Before a message it is read anyway."""

OF_PAYMENTS = frozenset({CreditKind.PREPAYMENT, CreditKind.OVERPAYMENT})
"""What takes the scope of payments, which a custom connection is not granted by itself."""

MOST_WALKS = 5


def counts(access: XeroAccess) -> bool:
    """Whether the tenant's policy looks at credit at all."""
    policy = access.resources.policy.for_tenant(access.tenant.tenant_id).invoice_overdue
    return policy.enabled and policy.credit is not CreditHolds.IGNORE


def matters_to(engine: Engine, claim: Claim) -> bool:
    """Whether what was claimed is a reminder."""
    with reading(engine) as session:
        return session.get_one(Notification, claim.notification_id).kind == INVOICE_OVERDUE


def have(
    access: XeroAccess, *, since: datetime, kinds: Collection[CreditKind] = frozenset(CreditKind)
) -> int:
    """Have these lists in the ledger as read at ``since`` or later; returns how many had to be read.

    Nothing is asked where the policy ignores credit. One run of a burst reads, the others wait for it. Raises
    what the client raises; a list that the consent does not open is written down as that, and left.
    """
    if not counts(access):
        return 0
    one = _Lists(access)
    return one.have(kinds, since)


def read_changed(access: XeroAccess, events: Sequence[ClaimedEvent]) -> int:
    """Have the lists that these events are about as read since they came."""
    about = [event for event in events if event.category in ALLOCATED]
    if not about:
        return 0
    kinds = {CreditKind(event.category) for event in about}
    return have(access, since=max(event.received_at for event in about), kinds=kinds)


def read_open(access: XeroAccess) -> None:
    """Read all that is open anew: whether every use of a credit moves its time, Xero does not say."""
    if counts(access):
        one = _Lists(access)
        for kind in CreditKind:
            one.read(kind, whole=True)


class _Lists:
    def __init__(self, access: XeroAccess) -> None:
        self._access = access
        self._engine = access.resources.engine
        self._clock = access.resources.clock
        self._tenant_id = access.tenant.tenant_id

    def have(self, kinds: Collection[CreditKind], since: datetime) -> int:
        who = uuid.uuid4().hex
        while wanted := self._stale(kinds, since):
            if awaiting.take_reading(self._engine, self._tenant_id, who, now=self._clock()):
                try:
                    return sum(self.read(kind) for kind in self._stale(wanted, since))
                finally:
                    awaiting.end_reading(self._engine, self._tenant_id, who, now=self._clock())
            self._access.sleep(0.2 + 0.3 * random.random())  # noqa: S311 - it spreads looks, it guards nothing
        return 0

    def _stale(self, kinds: Collection[CreditKind], since: datetime) -> list[CreditKind]:
        open_to_us, now = self._open_to_us(kinds), self._clock()
        return credits.stale(self._engine, self._tenant_id, open_to_us, since, now=now)

    def _open_to_us(self, kinds: Collection[CreditKind]) -> Collection[CreditKind]:
        if OF_PAYMENTS & set(kinds) and polls.lacks_payments_scope(self._engine, self._tenant_id):
            polls.note_missing_scope(self._engine, self._tenant_id, now=self._clock())
            return set(kinds) - OF_PAYMENTS
        return kinds

    def read(self, kind: CreditKind, *, whole: bool = False) -> int:
        """Read one list, and remember how far; 0 where the consent does not open it."""
        if kind not in self._open_to_us([kind]):
            return 0
        began, cursor = self._clock(), credits.cursor_of(self._engine, self._tenant_id, kind)
        try:
            if cursor is None or whole:
                read_to = self._read_whole(kind, began)
            else:
                read_to = self._read_changes(kind, cursor, began)
        except ScopeMissing:
            if kind not in OF_PAYMENTS:
                raise
            polls.note_missing_scope(self._engine, self._tenant_id, now=self._clock())
            return 0
        credits.mark_read(self._engine, self._tenant_id, kind, read_to, read_at=began)
        return 1

    def _read_changes(self, kind: CreditKind, cursor: datetime, began: datetime) -> datetime:
        read_to = cursor
        for records, ended in seek(lambda ask, size: self._changes(kind, ask, size), cursor):
            self._keep(records, began)
            read_to = ended or read_to
        return read_to

    def _changes(self, kind: CreditKind, ask: Ask, size: int) -> Records[Credit]:
        client = self._access.client
        return self._access.ask(lambda: client.credit_page(kind, ask.page, size, modified_since=ask.since))

    def _read_whole(self, kind: CreditKind, began: datetime) -> datetime:
        """All that is open, walked until all were seen: a page shifts when a credit leaves the list."""
        seen: set[str] = set()
        for _ in range(MOST_WALKS):
            read_to, expected = self._walk(kind, began, seen, LARGEST_PAGE)
            if len(seen) >= expected:
                credits.close_unread(self._engine, self._tenant_id, kind, since=began)
                return read_to or began
        raise Transient(f"tenant {self._tenant_id}: credits move faster than they can be read")

    def _walk(
        self, kind: CreditKind, began: datetime, seen: set[str], size: int
    ) -> tuple[datetime | None, int]:
        page, pages, expected, read_to, nameless = 1, 1, 0, None, count()
        while page <= pages:
            try:
                records = self._page(kind, page, size)
            except TOO_MUCH as problem:
                return self._walk(kind, began, seen, smaller(size, problem))
            self._keep(records, began)
            seen.update(one.value.credit_id for one in records.good)
            seen.update(bad.record_id or f"nameless {next(nameless)}" for bad in records.bad)
            pages = records.page_count or 1
            # As many as they ever were: where one leaves the list, another slips between two pages.
            expected = max(expected, records.item_count or len(records.good))
            read_to = read_to or records.read_at
            page += 1
        return read_to, expected

    def _page(self, kind: CreditKind, page: int, size: int) -> Records[Credit]:
        return self._access.ask(lambda: self._access.client.credit_page(kind, page, size))

    def _keep(self, records: Records[Credit], read_at: datetime) -> None:
        credits.keep(self._engine, self._tenant_id, [one.value for one in records.good], read_at=read_at)
