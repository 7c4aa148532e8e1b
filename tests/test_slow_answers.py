"""Lists that Xero is slow with are asked for in smaller pages, so that each reading comes to its end."""

from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import Engine

from duebell.books import unallocated
from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.errors import Transient
from duebell.ledger import snapshots
from duebell.xero.transfer import AnswerTooSlow
from tests.support_facts import CONTACT, MINUTE, NOW, TENANT, numbered
from tests.support_lists import WATCHED_FROM, Polling

IDS = [numbered(number) for number in range(300)]
Answering = Callable[[httpx.Request], httpx.Response | None]


@pytest.fixture
def books(sqlite_ledger: Engine) -> Polling:
    books = Polling(sqlite_ledger)
    books.xero.contact()
    return books


def timed_out(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("20 s", request=request)


def gateway_gave_up(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(504)


def slow_beyond(most: int, slow: Answering) -> Answering:
    """A Xero that takes too long for a page of more than so many."""
    return lambda request: slow(request) if int(request.url.params.get("pageSize", "1")) > most else None


SLOW = pytest.mark.parametrize("slow", [timed_out, gateway_gave_up])


def sizes(books: Polling, plural: str = "Invoices") -> list[str]:
    return [one.url.params["pageSize"] for one in books.xero.calls(plural)]


@SLOW
def test_a_poll_gets_through_and_moves_its_cursor(books: Polling, slow: Answering) -> None:
    for one in IDS:
        books.xero.invoice(one)
    books.xero.instead = slow_beyond(250, slow)
    books.poll()
    assert books.tenant().invoices_cursor is not None
    assert sizes(books)[:2] == ["1000", "250"]
    assert sorted(one for category, one, _ in books.inbox() if category == "INVOICE") == IDS


@SLOW
def test_a_first_sync_knows_every_invoice(books: Polling, slow: Answering) -> None:
    for one in IDS:
        books.xero.invoice(one, updated=WATCHED_FROM - MINUTE)
    books.xero.instead = slow_beyond(100, slow)
    assert XeroReader(books.access(TENANT, Purpose.FIRST_SYNC)).first_sync(WATCHED_FROM) == 300
    assert len(snapshots.invoices(books.engine, TENANT, IDS)) == 300
    assert snapshots.never_compared(books.engine, TENANT) == []


@SLOW
def test_the_open_invoices_are_read_anew(books: Polling, slow: Answering) -> None:
    for one in IDS:
        books.xero.invoice(one)
    books.poll()
    for one in IDS:
        books.xero.invoice(one, DueDateString="2027-01-20T00:00:00", updated=None)
    books.xero.instead = slow_beyond(100, slow)
    polled = books.poll(minutes=24 * 60)
    assert (polled.found, polled.read_open) == (300, True)
    assert not [one for one in books.xero.calls("Invoices") if "IDs" in one.url.params]


@SLOW
def test_the_customers_credit_is_read(books: Polling, slow: Answering) -> None:
    for one in IDS:
        books.xero.put(
            "Overpayments", OverpaymentID=one, Type="RECEIVE-OVERPAYMENT", Status="AUTHORISED",
            RemainingCredit=1, CurrencyCode="NZD", Contact={"ContactID": CONTACT},
        )  # fmt: skip
    books.xero.instead = slow_beyond(100, slow)
    assert unallocated.have(books.access(TENANT, Purpose.LOOK_AGAIN), since=NOW) == 3
    assert sizes(books, "Overpayments") == ["1000", "250", *["62"] * 5]


@SLOW
def test_many_contacts_are_read_by_their_ids_where_their_list_is_slow(
    books: Polling, slow: Answering
) -> None:
    for one in IDS:
        books.xero.contact(one)
    books.xero.instead = slow_beyond(100, slow)
    read = XeroReader(books.access(TENANT, Purpose.EVENTS)).contacts(IDS, since=NOW)
    assert (read.read, read.missing) == (300, ())


def test_a_record_without_an_id_counts_once_whatever_the_pages(books: Polling) -> None:
    """Else it would make up for an invoice that slipped between two pages."""
    for one in IDS:
        books.xero.invoice(one, updated=WATCHED_FROM - MINUTE)
    no_id = f"{IDS[90][:-1]}z"
    books.xero.rows["Invoices"][no_id] = {"InvoiceID": no_id, "UpdatedDateUTC": "/Date(0+0000)/"}
    books.xero.largest, slipped = 80, list[str]()

    def slow_and_moving(request: httpx.Request) -> httpx.Response | None:
        size, page = int(request.url.params["pageSize"]), int(request.url.params["page"])
        if size > 250 and page == 3 and not slipped:
            books.xero.largest = 100
            return timed_out(request)
        if size <= 250 and page == 2 and not slipped:
            slipped.append(IDS[170])
            answer = books.xero.answer(request)
            return httpx.Response(200, text=answer.text.replace(IDS[170], IDS[0]))
        return None

    books.xero.instead = slow_and_moving
    XeroReader(books.access(TENANT, Purpose.FIRST_SYNC)).first_sync(WATCHED_FROM)
    assert set(snapshots.invoices(books.engine, TENANT, IDS)) == set(IDS)


def test_where_nobody_can_be_reached_no_smaller_page_is_asked_for(books: Polling) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("5 s", request=request)

    books.xero.instead = refuse
    with pytest.raises(Transient) as problem:
        books.poll()
    assert not isinstance(problem.value, AnswerTooSlow)
    assert sizes(books) == ["1000"]
