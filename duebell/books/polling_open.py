"""Reading every open invoice anew, for the edits that Xero's filter of changes does not see.

A due date that is moved on an invoice that was paid in part, the mark that it was sent: these do not move
``UpdatedDateUTC`` (developer.xero.com/documentation/api/accounting/requests-and-responses). Of a promise Xero
does not say whether it does.
"""

from duebell.books.access import XeroAccess
from duebell.books.pages import served_page
from duebell.books.polling_news import PolledNews
from duebell.books.polling_seek import SURELY_FULL, ListNotFiltered
from duebell.books.portions import LARGEST_PAGE, TOO_MUCH, smaller
from duebell.ledger import polls
from duebell.ledger.polls import FoundBy
from duebell.model import Invoice, InvoiceStatus, InvoiceType
from duebell.xero.records import Records

MOST_BY_ID = 500
"""Invoices that one reading asks for by their ids, 50 a call; those beyond come first on the next day."""


def read_open_invoices(access: XeroAccess, news: PolledNews) -> None:
    """Have every open sales invoice read anew, and tell of those that differ.

    The list moves while its pages are turned: an invoice that is paid meanwhile leaves it, and the next one
    slips between two pages. So what we hold as open and the list did not bring is asked for by its id.
    """
    tenant_id, clock = access.tenant.tenant_id, access.resources.clock
    engine, began = access.resources.engine, clock()
    _walk(access, news, LARGEST_PAGE)
    left = polls.open_but_unread(engine, tenant_id, since=began, most=MOST_BY_ID)
    reading = news.reader.invoices(left, since=began)
    news.bad |= dict(reading.bad)
    news.compare(left, FoundBy.OPEN)
    news.reader.read_unknown_contacts()
    polls.mark_open_read(engine, tenant_id, began, now=clock())


def _walk(access: XeroAccess, news: PolledNews, size: int) -> None:
    page: int | None = 1
    while page is not None:
        read_at = access.resources.clock()
        try:
            records = _page(access, page, size)
        except TOO_MUCH as problem:
            page, size = 1, smaller(size, problem)
            continue
        if any(not _is_open_sale(record.value) for record in records.good):
            raise ListNotFiltered("a list of open invoices holds others: its filter was ignored")
        news.take_invoices(records, read_at, FoundBy.OPEN)
        page = _next(records, page, size)


def _page(access: XeroAccess, page: int, size: int) -> Records[Invoice]:
    def read(page: int, size: int) -> Records[Invoice]:
        return access.ask(
            lambda: access.client.invoice_page(page, size, statuses=("AUTHORISED",), sales_only=True)
        )

    return served_page(read, page, size)


def _is_open_sale(invoice: Invoice) -> bool:
    return invoice.type is InvoiceType.SALE and invoice.status is InvoiceStatus.AUTHORISED


def _next(records: Records[Invoice], page: int, size: int) -> int | None:
    if records.page_count is not None:
        return page + 1 if page < records.page_count else None
    return page + 1 if len(records.good) + len(records.bad) >= min(size, SURELY_FULL) else None
