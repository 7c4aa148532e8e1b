"""Invoices of hundreds of lines: what is too much for one answer is read in portions, and none is held up."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.books.portions import Portions
from duebell.books.reading import XeroReader
from duebell.ledger import inbox, notifications, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.notifications import Owed
from duebell.ledger.tables import XeroEvent
from duebell.ledger.writing import writing
from duebell.model import Invoice
from duebell.planning import draining
from duebell.policy.verdict import Send
from duebell.xero.parse import parse_invoice_body
from duebell.xero.records import Record, Records, record_id
from duebell.xero.transfer import AnswerTooLarge, Bounds
from tests.support_facts import (
    CONTACT,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    RULES,
    TENANT,
    invoice_body,
    numbered,
)
from tests.support_lists import Polling

CAP = Bounds().max_bytes
FAT = 230_000
"""Bytes of an invoice of about 400 lines."""


@pytest.fixture
def books(ledger: Engine) -> Polling:
    books = Polling(ledger)
    books.xero.contact()
    return books


def weighing(books: Polling, grams: Mapping[str, int]) -> Callable[[httpx.Request], httpx.Response | None]:
    """Answers of the size that these records make, where that is more than is read of one."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        rows = books.xero.answer(request).text
        size = sum(weight for one, weight in grams.items() if f'ID":"{one}' in rows.replace(" ", ""))
        return httpx.Response(200, content=b" " * (CAP + 1)) if size > CAP else None

    return answer


def rings(books: Polling, ids: list[str]) -> None:
    events = [NewEvent(TENANT, "INVOICE", one, "UPDATE", "m", books.clock.now) for one in ids]
    inbox.keep(books.engine, events, [], now=books.clock.now)


def reader(books: Polling, purpose: Purpose = Purpose.EVENTS) -> BurstReader:
    return BurstReader(books.access(TENANT, purpose))


def approve(books: Polling, count: int, **grams: int) -> list[str]:
    """So many fat invoices, their events in the inbox; ``grams`` are other weights, by ``n`` and a number."""
    ids = [numbered(number) for number in range(count)]
    for one in ids:
        books.xero.invoice(one)
    weights = {one: grams.get(f"n{number}", FAT) for number, one in enumerate(ids)}
    books.xero.instead = weighing(books, weights)
    rings(books, ids)
    return ids


def test_fifty_fat_invoices_that_are_approved_at_once_are_read_in_two_halves(books: Polling) -> None:
    ids = approve(books, 50)
    read = reader(books).changed(ids, since=NOW)
    assert (read.read, read.bad, read.missing) == (50, (), ())
    assert set(snapshots.invoices(books.engine, TENANT, ids)) == set(ids)
    assert len(books.xero.calls("Invoices")) == 3


def test_an_invoice_that_is_too_large_alone_is_named_and_holds_up_no_other(books: Polling) -> None:
    ids = approve(books, 50, n7=CAP + 1)
    events = inbox.claim(books.engine, TENANT, now=books.clock.now, most=200)
    read = reader(books).changed(ids, since=NOW)
    assert read.read == 49
    assert read.bad == ((ids[7], f"the answer is larger than {CAP} bytes"),)
    with writing(books.engine, books.clock.now) as book:
        draining.record_changes(book, TENANT, events, read, RULES, flow_run_id="run")
    with reading(books.engine) as session:
        left = session.exec(select(XeroEvent).where(XeroEvent.state == "pending")).all()
    assert [(one.resource_id, one.outcome) for one in left] == [read.bad[0]]
    assert read.bad[0][1] in left[0].outcome


def test_a_message_is_looked_at_again_beside_fat_ones_that_others_wait_for(books: Polling) -> None:
    ids = [numbered(number) for number in range(50)]
    for one in ids:
        books.xero.invoice(one)
        body = invoice_body(one)
        kept = [(parse_invoice_body(body), body)]
        snapshots.save_invoices(books.engine, TENANT, kept, read_at=NOW - timedelta(hours=1))
    with writing(books.engine, NOW) as book:
        for one in ids:
            key = f"{TENANT}:invoice_issued:{one}::contact:{CONTACT}"
            owed = Owed(key, TENANT, "invoice_issued", one, one, f"contact:{CONTACT}", CONTACT)
            notifications.plan(book, owed, Send(MOBILE), actor="test", flow_run_id=None)
    books.xero.instead = weighing(books, dict.fromkeys(ids, FAT))
    read = reader(books, Purpose.LOOK_AGAIN).look_again(ids[:3], since=NOW - MINUTE)
    assert (read.fresh, read.bad) == (3, ())
    assert len(books.xero.calls("Invoices")) == 3


def test_contacts_that_are_too_much_for_one_answer_and_who_is_left_of_them_are_read_too(
    books: Polling,
) -> None:
    ids = [numbered(number) for number in range(50)]
    for one in ids:
        books.xero.contact(one, ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    books.xero.contact(OTHER_CONTACT)
    books.xero.instead = weighing(books, dict.fromkeys(ids, FAT))
    read = XeroReader(books.access(TENANT, Purpose.EVENTS)).contacts(ids, since=NOW)
    assert (read.read, read.bad) == (50, ())
    assert len(snapshots.contacts(books.engine, TENANT, [*ids, OTHER_CONTACT])) == 51


@given(st.lists(st.integers(1, 12), min_size=1, max_size=50))
def test_whatever_the_sizes_each_record_comes_once_and_only_what_is_too_large_alone_is_bad(
    sizes: list[int],
) -> None:
    asked: list[tuple[str, ...]] = []
    weights = {numbered(number): size for number, size in enumerate(sizes)}

    def read(ids: tuple[str, ...]) -> Records[Invoice]:
        asked.append(ids)
        if sum(weights[one] for one in ids) > 10:
            raise AnswerTooLarge("more than 10")
        good = tuple(Record(parse_invoice_body(invoice_body(one)), "{}") for one in ids)
        return Records(good=good)

    found = Portions(read).of(tuple(weights))
    fit = [one for one, weight in weights.items() if weight <= 10]
    assert [record_id(one.value) for one in found.good] == fit
    assert [one.record_id for one in found.bad] == [one for one in weights if one not in fit]
    assert len(asked) < 2 * len(sizes)
