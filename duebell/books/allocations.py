"""Credit notes, prepayments and overpayments: nobody is told of them, but invoices change by them.

Their events name the credit, not the invoices that it is allocated to. Those move their own time with what is
owed on them, so one list of what changed finds them all, however many credits there were.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from duebell.books import unallocated
from duebell.books.access import XeroAccess
from duebell.books.polling_news import PolledNews
from duebell.books.polling_seek import Ask, seek
from duebell.books.portions import NOT_HAD_NOW
from duebell.ledger import handing_over, inbox
from duebell.ledger.inbox import ALLOCATED, ClaimedEvent
from duebell.ledger.polls import FoundBy
from duebell.ledger.writing import Writing
from duebell.model import Invoice
from duebell.xero.records import Records


def read_concerned(access: XeroAccess, events: Sequence[ClaimedEvent]) -> tuple[tuple[str, str], ...]:
    """Read all that the events of credits are about; returns the credits whose lists Xero does not serve now.

    Those wait, with the reason, and hold up no event of anything else; where there is none, that is raised.
    """
    try:
        read_touched(access, events)
        unallocated.read_changed(access, events)
    except NOT_HAD_NOW as problem:
        if all(event.category in ALLOCATED for event in events):
            raise
        return tuple((one.resource_id, str(problem)) for one in events if one.category in ALLOCATED)
    return ()


def read_touched(access: XeroAccess, events: Sequence[ClaimedEvent]) -> int:
    """Have the invoices that changed since these credits' events in the inbox; returns how many are news.

    Raises what the client raises. Without an event of a credit no call is made.
    """
    about = [event for event in events if event.category in ALLOCATED]
    if not about:
        return 0
    clock = access.resources.clock
    asked_at = clock()
    news = PolledNews(access, asked_at)

    def page(ask: Ask, size: int) -> Records[Invoice]:
        nonlocal asked_at
        asked_at = clock()  # what happens while the answer is under way may not be in it
        return access.ask(lambda: access.client.invoice_page(ask.page, size, modified_since=ask.since))

    for records, _ in seek(page, min(_came(event, asked_at) for event in about)):
        news.take_invoices(records, asked_at, FoundBy.ALLOCATION)
    return news.found


def _came(event: ClaimedEvent, now: datetime) -> datetime:
    """No later than it happened: Xero may deliver it hours after that, and the invoices changed by then.

    A clock that was ahead may have kept it as of an hour that is to come.
    """
    return min(event.received_at, event.event_time or event.received_at, now)


def close(book: Writing, events: Sequence[ClaimedEvent], unread: Mapping[str, str]) -> None:
    """The events of credits are over once the invoices that they touch have events of their own.

    Those that could not be looked at (``unread``, with the reason) come back, and are never given up: what
    Xero does not serve is no record of theirs.
    """
    for event in events:
        if event.category not in ALLOCATED:
            continue
        if event.resource_id in unread:
            handing_over.come_back(book, [event], unread[event.resource_id])
        else:
            inbox.finish(book, event, "the invoices that it may touch were looked at")
