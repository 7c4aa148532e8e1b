"""The daily reading of open invoices: edits that Xero's filter of changes does not see are found by it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, delete

from duebell.books import polling_open
from duebell.books.polling_seek import ListNotFiltered
from duebell.ledger import snapshots
from duebell.ledger.tables import ContactSnapshot
from tests.support_facts import CONTACT, INVOICE, NOW, TENANT, numbered
from tests.support_lists import Polling
from tests.test_polling import handle_all

A_DAY = 24 * 60
BY_OPEN = ("INVOICE", INVOICE, "poll_open")


@pytest.fixture
def books(ledger: Engine) -> Polling:
    """An approved invoice that is known, was handled, and of which Xero's filter tells no more."""
    books = Polling(ledger)
    books.xero.invoice()
    books.poll()
    handle_all(books)
    books.poll(minutes=60)
    return books


@pytest.mark.parametrize(
    "edit",
    [{"DueDateString": "2027-01-20T00:00:00"}, {"SentToContact": True}],
    ids=lambda edit: next(iter(edit)),
)
def test_an_edit_that_moves_no_time_is_found_once_the_next_morning(
    books: Polling, edit: dict[str, Any]
) -> None:
    books.xero.invoice(**edit, updated=None)
    assert not books.poll(minutes=60).read_open
    assert books.inbox()[1:] == []
    polled = books.poll(minutes=A_DAY)
    assert (polled.found, polled.read_open) == (1, True)
    assert books.inbox()[1:] == [BY_OPEN]
    handle_all(books)
    assert not books.poll(minutes=15).read_open
    assert books.poll(minutes=A_DAY).found == 0


def test_it_asks_for_approved_sales_alone_in_an_order_that_no_change_moves(books: Polling) -> None:
    asked = len(books.xero.asked)
    books.poll(minutes=A_DAY)
    (call,) = [one for one in books.xero.calls("Invoices", asked) if "Statuses" in one.url.params]
    assert dict(call.url.params) == {
        "Statuses": "AUTHORISED",
        "where": 'Type=="ACCREC"',
        "order": "InvoiceID",
        "page": "1",
        "pageSize": "1000",
    }


def test_a_customer_who_was_never_read_is_known_after_the_next_morning(books: Polling) -> None:
    books.xero.contact(updated=NOW - timedelta(days=99))
    with books.engine.begin() as connection:
        connection.execute(delete(ContactSnapshot))
    books.poll(minutes=A_DAY)
    assert CONTACT in snapshots.contacts(books.engine, TENANT, [CONTACT])


def test_what_we_hold_as_open_and_the_list_did_not_bring_is_read_by_its_id(books: Polling) -> None:
    books.xero.invoice(Status="PAID", AmountDue=0, updated=None)
    polled = books.poll(minutes=A_DAY)
    assert (polled.found, books.inbox()[1:]) == (1, [BY_OPEN])
    assert snapshots.invoices(books.engine, TENANT, [INVOICE])[INVOICE].invoice.status.value == "paid"


def test_an_invoice_that_slips_between_two_pages_is_read_by_its_id(books: Polling) -> None:
    books.xero.largest = 20
    for number in range(30):
        books.xero.invoice(numbered(number))
    books.poll(minutes=1)
    handle_all(books)
    for number in range(30):
        books.xero.invoice(numbered(number), DueDateString="2027-01-20T00:00:00", updated=None)

    def pay_one_meanwhile(request: httpx.Request) -> httpx.Response | None:
        if request.url.params.get("page") == "2" and "Statuses" in request.url.params:
            books.xero.invoice(numbered(3), Status="PAID", updated=None)
        return None

    books.xero.instead = pay_one_meanwhile
    asked = len(books.xero.asked)
    assert books.poll(minutes=A_DAY).found == 30
    by_ids = [one for one in books.xero.calls("Invoices", asked) if "IDs" in one.url.params]
    assert len(by_ids) <= 1


def test_a_filter_that_is_ignored_is_noticed_and_the_reading_comes_again(books: Polling) -> None:
    books.xero.invoice(numbered(7), Type="ACCPAY")
    books.clock.now += timedelta(minutes=A_DAY)
    everything = [*books.xero.rows["Invoices"].values()]

    def ignore(request: httpx.Request) -> httpx.Response | None:
        return (
            httpx.Response(200, json={"Invoices": everything}) if "Statuses" in request.url.params else None
        )

    books.xero.instead = ignore
    with pytest.raises(ListNotFiltered):
        books.poll()
    books.xero.instead = lambda _request: None
    assert books.poll().read_open


def test_no_more_than_a_bounded_number_is_read_by_ids_and_the_rest_comes_first_the_next_day(
    books: Polling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling_open, "MOST_BY_ID", 5)
    for number in range(7):
        books.xero.invoice(numbered(number))
    books.poll(minutes=1)
    handle_all(books)
    books.poll(minutes=60)
    for number in range(7):
        books.xero.invoice(numbered(number), Status="VOIDED", updated=None)
    assert books.poll(minutes=A_DAY).found == 5
    assert books.poll(minutes=A_DAY).found == 2
    assert books.tenant().open_read_at == NOW + timedelta(minutes=2 * A_DAY + 121)
