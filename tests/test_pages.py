"""A record that Xero cannot list stops no list: all others come, and it is named by its place."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from duebell.books.calls import Purpose
from duebell.books.pages import served_page
from duebell.books.portions import MOST_UNSERVED
from duebell.books.reading import XeroReader
from duebell.errors import BadAnswer, DuebellError, NotServed, Rejected, Transient
from duebell.ledger import snapshots
from duebell.model import Invoice
from duebell.xero.parse import parse_invoice_body
from duebell.xero.records import Record, Records
from duebell.xero.transfer import AnsweredTooLate, AnswerTooLarge
from tests.support_facts import CONTACT, MINUTE, NOW, TENANT, invoice_body, numbered
from tests.support_lists import WATCHED_FROM, Polling

SERVER_ERROR = NotServed("Xero answered 500 to GET /api.xro/2.0/Invoices")


class Listed:
    """A list of so many invoices, of which Xero fails at the places ``ill`` (from 1)."""

    def __init__(
        self, count: int, ill: set[int], problem: DuebellError = SERVER_ERROR, *, counts: bool = True
    ):
        self.asked: list[tuple[int, int]] = []
        self._count, self._ill, self._problem, self._counts = count, ill, problem, counts

    def read(self, number: int, size: int) -> Records[Invoice]:
        self.asked.append((number, size))
        places = range((number - 1) * size + 1, min(number * size, self._count) + 1)
        if self._ill.intersection(places):
            raise self._problem
        bodies = [invoice_body(numbered(place)) for place in places]
        return Records(
            good=tuple(Record(parse_invoice_body(body), body) for body in bodies),
            read_at=NOW,
            page_count=-(-self._count // size) if self._counts else None,
            item_count=self._count if self._counts else None,
        )

    def whole(self, size: int) -> list[Records[Invoice]]:
        return [served_page(self.read, number, size) for number in range(1, -(-self._count // size) + 1)]


def places_of(page: Records[Invoice]) -> list[int]:
    return [int(one.value.invoice_id[-4:], 16) & 0xFFF for one in page.good]


@pytest.mark.parametrize("problem", [SERVER_ERROR, Rejected("Xero answered 400"), BadAnswer("not JSON")])
@given(
    count=st.integers(4, 60),
    ill=st.sets(st.integers(1, 30).map(lambda one: one * 3), max_size=3),
    size=st.integers(1, 50),
    counts=st.booleans(),
)
def test_whichever_few_apart_from_each_other_are_not_served_all_others_come_in_their_order(
    problem: DuebellError, count: int, ill: set[int], size: int, *, counts: bool
) -> None:
    ill = {one for one in ill if one <= count}
    listed = Listed(count, ill, problem, counts=counts)
    pages = listed.whole(size)
    assert [place for page in pages for place in places_of(page)] == [
        one for one in range(1, count + 1) if one not in ill
    ]
    assert len([bad for page in pages for bad in page.bad]) == len(ill)
    assert {page.read_at for page in pages} == {NOW}
    assert {page.page_count for page in pages} == {-(-count // size) if counts else None}


class Moving(Listed):
    """One whose first record is edited right before the call of this number, and stands last from then on."""

    def __init__(self, count: int, ill: int, before_call: int) -> None:
        super().__init__(count, set())
        self._order = list(range(1, count + 1))
        self._is_ill, self._before = ill, before_call

    def read(self, number: int, size: int) -> Records[Invoice]:
        if len(self.asked) == self._before:
            self._order.append(self._order.pop(0))
        self._ill = {self._order.index(self._is_ill) + 1}
        page = super().read(number, size)
        bodies = [invoice_body(numbered(self._order[place - 1])) for place in places_of(page)]
        return replace(page, good=tuple(Record(parse_invoice_body(body), body) for body in bodies))


@given(ill=st.integers(2, 24), before_call=st.integers(1, 30))
def test_what_moves_up_while_smaller_pages_are_read_is_not_missed(ill: int, before_call: int) -> None:
    [page] = Moving(24, ill, before_call).whole(24)
    assert set(range(2, 25)) - set(places_of(page)) <= {ill}


def test_it_is_named_by_its_place() -> None:
    [page] = Listed(1_000, {437}).whole(1_000)
    assert [(bad.record_id, bad.reason) for bad in page.bad] == [
        ("", f"Xero does not serve the record at place 437 of a list: {SERVER_ERROR}")
    ]


@pytest.mark.parametrize("place", [1, 437, 1_000])
def test_one_of_a_thousand_is_found_in_25_calls(place: int) -> None:
    listed = Listed(1_000, {place})
    listed.whole(1_000)
    assert len(listed.asked) == 25


def test_an_outage_costs_few_calls_and_is_raised_as_it_came() -> None:
    away = Listed(5_000, set(range(1, 6_000)))
    with pytest.raises(NotServed) as raised:
        served_page(away.read, 2, 1_000)
    assert raised.value is SERVER_ERROR
    assert len(away.asked) == 4


def test_where_xero_fails_at_very_many_it_is_an_outage_too() -> None:
    ailing = Listed(1_000, set(range(2, 1_000, 2)))
    with pytest.raises(NotServed):
        served_page(ailing.read, 1, 1_000)
    assert len(ailing.asked) < 5 * MOST_UNSERVED


@pytest.mark.parametrize("problem", [AnswerTooLarge("too large"), AnsweredTooLate("504")])
def test_what_is_too_much_at_once_is_for_the_walk_to_mend(problem: DuebellError) -> None:
    listed = Listed(1_000, {7}, problem)
    with pytest.raises(type(problem)):
        served_page(listed.read, 1, 1_000)
    assert len(listed.asked) == 1


# Through the lists of Xero themselves.


@pytest.fixture
def books(sqlite_ledger: Engine) -> Polling:
    books = Polling(sqlite_ledger)
    books.xero.contact()
    return books


def cannot_list(books: Polling, ill: str) -> None:
    """Xero fails at every page of a list that holds this record; by its id it serves it."""

    def instead(request: httpx.Request) -> httpx.Response | None:
        if "page" not in request.url.params:
            return None
        answer = books.xero.answer(request)
        return httpx.Response(500, json={}) if ill in answer.text else None

    books.xero.instead = instead


def test_polling_goes_on_past_an_invoice_that_xero_cannot_list(books: Polling) -> None:
    for number in range(1, 6):
        books.xero.invoice(numbered(number))
        books.clock.now += MINUTE
    cannot_list(books, numbered(3))
    polled = books.poll()
    assert [one for category, one, _ in books.inbox() if category == "INVOICE"] == [
        numbered(number) for number in (1, 2, 4, 5)
    ]
    [(_, why)] = polled.bad
    assert why.startswith("Xero does not serve the record at place 3 of a list: Xero answered 500")
    assert books.tenant().invoices_cursor == books.clock.now


def test_one_that_xero_cannot_list_at_the_end_does_not_hold_up_the_next(books: Polling) -> None:
    books.xero.invoice(numbered(1))
    cannot_list(books, numbered(1))
    assert len(books.poll().bad) == 1
    books.xero.invoice(numbered(2))
    assert books.poll(minutes=5).found == 1
    assert books.inbox()[-1][1] == numbered(2)


def test_during_an_outage_the_poll_fails_as_before(books: Polling) -> None:
    books.xero.invoice(numbered(1))
    books.xero.instead = lambda _request: httpx.Response(503)
    with pytest.raises(Transient):
        books.poll()
    books.xero.instead = lambda _request: None
    assert books.poll(minutes=5).found >= 1


def test_the_first_read_and_the_morning_s_go_on_past_it_too(books: Polling) -> None:
    ids = [numbered(number) for number in range(1, 6)]
    for one in ids:
        books.xero.invoice(one, Contact={"ContactID": CONTACT}, updated=NOW - timedelta(days=30))
    cannot_list(books, ids[2])
    reader = XeroReader(books.access(TENANT, Purpose.POLL))
    assert reader.first_sync(WATCHED_FROM) == 5
    assert set(snapshots.invoices(books.engine, TENANT, ids)) == {*ids} - {ids[2]}
