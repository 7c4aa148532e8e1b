"""A credit's event names the credit; the invoices that it touches are found and compared all the same."""

import json
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine

from duebell.books import allocations
from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.ledger import inbox, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.inbox import ClaimedEvent, NewEvent
from duebell.ledger.tables import ContactSnapshot
from duebell.ledger.writing import writing
from duebell.xero.parse import parse_contact_body
from tests.support_facts import CONTACT, INVOICE, MINUTE, OTHER_CONTACT, TENANT, numbered
from tests.support_lists import Polling

CREDIT = "eeeeeeee-2222-4333-8444-555555555555"


@pytest.fixture
def books(ledger: Engine) -> Polling:
    """A tenant whose one invoice is known as it is."""
    books = Polling(ledger)
    books.xero.invoice()
    books.xero.contact()
    books.poll()
    for event in claimed(books):
        with writing(ledger, books.clock.now) as book:
            inbox.finish(book, event, "handled")
    books.clock.now += 30 * MINUTE
    return books


def claimed(books: Polling) -> tuple[ClaimedEvent, ...]:
    return inbox.claim(books.engine, TENANT, now=books.clock.now, most=100)


def rings(books: Polling, category: str, resource_id: str = CREDIT) -> tuple[ClaimedEvent, ...]:
    now = books.clock.now
    new = [NewEvent(TENANT, category, resource_id, "UPDATE", now.isoformat(), now)]
    inbox.keep(books.engine, new, [], now=now)
    return claimed(books)


def touched(books: Polling, events: tuple[ClaimedEvent, ...]) -> int:
    return allocations.read_touched(books.access(TENANT, Purpose.EVENTS), events)


@pytest.mark.parametrize("category", ["CREDITNOTE", "PREPAYMENT", "OVERPAYMENT"])
def test_an_allocation_brings_the_invoice_that_it_touched_into_the_inbox(
    books: Polling, category: str
) -> None:
    books.xero.invoice(AmountCredited=100, AmountDue=15)
    events = rings(books, category)
    assert [event.category for event in events] == [category]
    assert touched(books, events) == 1
    assert books.inbox()[-1] == ("INVOICE", INVOICE, "allocation")
    with writing(books.engine, books.clock.now) as book:
        allocations.close(book, events, {})
    assert [event.category for event in claimed(books)] == ["INVOICE"]


def test_what_a_credit_touched_is_found_although_its_event_was_delivered_hours_late(books: Polling) -> None:
    books.xero.invoice(AmountCredited=100, AmountDue=15)
    happened = books.clock.now
    books.clock.now += timedelta(hours=3)  # Xero could not reach us, and tried again
    late = NewEvent(TENANT, "CREDITNOTE", CREDIT, "UPDATE", happened.isoformat(), happened)
    inbox.keep(books.engine, [late], [], now=books.clock.now)
    assert touched(books, claimed(books)) == 1


def test_a_credit_that_touches_nothing_costs_one_call_and_changes_nothing(books: Polling) -> None:
    asked = len(books.xero.asked)
    assert touched(books, rings(books, "CREDITNOTE")) == 0
    assert len(books.xero.calls("Invoices", asked)) == 1


def test_many_credits_cost_no_more_than_one(books: Polling) -> None:
    now = books.clock.now
    new = [NewEvent(TENANT, "CREDITNOTE", numbered(n), "CREATE", now.isoformat(), now) for n in range(30)]
    inbox.keep(books.engine, new, [], now=now)
    asked = len(books.xero.asked)
    touched(books, claimed(books))
    assert len(books.xero.asked) == asked + 1


def test_without_a_credit_nothing_is_asked(books: Polling) -> None:
    asked = len(books.xero.asked)
    assert touched(books, rings(books, "INVOICE", INVOICE)) == 0
    assert len(books.xero.asked) == asked


def test_an_unknown_category_is_kept_and_ignored(books: Polling) -> None:
    assert rings(books, "GIFTCARD") == ()
    assert books.inbox()[-1] == ("GIFTCARD", CREDIT, "webhook")


def test_a_payment_that_comes_while_the_list_is_under_way_is_not_taken_for_read(books: Polling) -> None:
    events = rings(books, "CREDITNOTE")

    def slowly(request: httpx.Request) -> httpx.Response:
        """The customer pays while the answer is under way, and the webhook comes before it is stored."""
        answer = books.xero.answer(request)
        books.clock.now += MINUTE
        books.xero.invoice(Status="PAID", AmountDue=0, AmountPaid=115)
        inbox.keep(books.engine, [paid(books)], [], now=books.clock.now)
        books.clock.now += MINUTE
        return answer

    books.xero.invoice(Reference="an edit that the list brings along")
    books.xero.instead = slowly
    touched(books, events)
    books.xero.instead = lambda _request: None
    since = max(event.received_at for event in claimed(books) if event.category == "INVOICE")
    assert XeroReader(books.access(TENANT, Purpose.EVENTS)).stale([INVOICE], since) == [INVOICE]


def paid(books: Polling) -> NewEvent:
    return NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "paid", books.clock.now)


def test_a_merged_contact_is_read_together_with_the_one_that_is_left(books: Polling) -> None:
    books.clock.now += timedelta(hours=2)
    books.xero.contact(ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    books.xero.contact(OTHER_CONTACT)
    reader = XeroReader(books.access(TENANT, Purpose.EVENTS))
    reader.contacts([CONTACT], since=books.clock.now)
    asked = len(books.xero.asked)
    reader.contacts([CONTACT, OTHER_CONTACT], since=books.clock.now)
    assert len(books.xero.asked) == asked


def test_a_chain_of_merges_is_read_to_its_end_also_where_its_middle_was_read_before(books: Polling) -> None:
    last = numbered(77)
    books.clock.now += timedelta(hours=2)
    books.xero.contact(CONTACT, ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    books.xero.contact(OTHER_CONTACT)
    reader = XeroReader(books.access(TENANT, Purpose.EVENTS))
    reader.contacts([CONTACT], since=books.clock.now)
    books.clock.now += MINUTE
    merged = json.dumps({"ContactID": OTHER_CONTACT, "ContactStatus": "ARCHIVED", "MergedToContactID": last})
    later = books.clock.now
    snapshots.save_contacts(books.engine, TENANT, [(parse_contact_body(merged), merged)], read_at=later)
    books.xero.contact(last)
    reader.contacts([CONTACT], since=later)
    with reading(books.engine) as session:
        assert session.get(ContactSnapshot, (TENANT, last)) is not None
