"""A merge that polling finds is followed as one that Xero rings about: who is left is read, and told."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.books.read_in_time import FRESH
from duebell.books.reading import XeroReader
from duebell.deciding.known import known_of
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import inbox, legs
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.contacts_in_step import bring_in_step, hand_over
from duebell.planning.draining import RunToStart
from duebell.states import NotificationState
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    RULES,
    TENANT,
)
from tests.support_lists import Polling

S = NotificationState
CONTACT_RUN = RunToStart("contact_changed", (CONTACT,), parameter="contact_ids")


def phones(number: str) -> list[dict[str, str]]:
    return [{"PhoneType": "MOBILE", "PhoneNumber": number}]


@pytest.fixture
def books(ledger: Engine) -> Polling:
    """An invoice that waits to be told to a customer, and another contact that nobody ever read."""
    books = Polling(ledger)
    books.xero.contact(OTHER_CONTACT, Phones=phones(OTHER_MOBILE), updated=NOW - timedelta(days=400))
    books.xero.invoice()
    books.xero.contact(Phones=phones(MOBILE))
    books.poll()
    drained(books)
    brought_in_step(books)
    books.poll(minutes=120)  # then the lists no longer go back to the invoice itself
    books.poll(minutes=120)
    books.clock.now += 15 * MINUTE
    assert row(books).state == S.PLANNED
    return books


def drained(books: Polling) -> list[RunToStart]:
    """What a drain does with all that is in the inbox; returns the runs that it starts."""
    reader = BurstReader(books.access(TENANT, Purpose.EVENTS))
    events = inbox.claim(books.engine, TENANT, now=books.clock.now, most=100)
    latest = max(event.received_at for event in events)
    reader.changed([one.resource_id for one in events if one.category == "INVOICE"], since=latest)
    read = reader.contacts([one.resource_id for one in events if one.category == "CONTACT"], since=latest)
    with writing(books.engine, books.clock.now) as book:
        runs = hand_over(book, TENANT, events, read)
    with writing(books.engine, books.clock.now) as book:
        return draining.record_changes(book, TENANT, events, read, RULES, flow_run_id=None) + runs


def brought_in_step(books: Polling) -> list[RunToStart]:
    """What a run of contact_changed does."""
    reader = XeroReader(books.access(TENANT, Purpose.EVENTS))
    reader.contacts([CONTACT], since=books.clock.now - FRESH)
    with writing(books.engine, books.clock.now) as book:
        return list(bring_in_step(book, TENANT, [CONTACT], RULES, flow_run_id=None).runs)


def merged(books: Polling) -> None:
    """The customer is merged into another contact, which Xero tells of the customer alone."""
    books.xero.contact(ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT, Phones=phones(MOBILE))
    books.xero.invoice(Contact={"ContactID": OTHER_CONTACT}, updated=None)
    books.poll()


def row(books: Polling) -> Notification:
    with reading(books.engine) as session:
        return session.exec(select(Notification)).one()


def address(books: Polling) -> str:
    with reading(books.engine) as session:
        return legs.current(session, row(books)).address


def test_what_waits_is_told_to_the_contact_that_is_left(books: Polling) -> None:
    merged(books)
    assert drained(books) == [CONTACT_RUN]
    brought_in_step(books)
    assert (row(books).state, row(books).contact_id, address(books)) == (
        S.PLANNED,
        OTHER_CONTACT,
        OTHER_MOBILE,
    )
    assert broken(books.engine) == []


def test_who_is_left_is_read_once(books: Polling) -> None:
    merged(books)
    drained(books)
    asked = len(books.xero.asked)
    brought_in_step(books)
    assert books.xero.calls("Contacts", asked) == []


def test_what_a_run_drops_between_the_poll_and_the_drain_is_decided_anew(books: Polling) -> None:
    merged(books)
    with writing(books.engine, books.clock.now) as book:
        bring_in_step(book, TENANT, [CONTACT], RULES, flow_run_id=None)
    assert (row(books).state, row(books).reason) == (S.SKIPPED, "contact_closed")
    assert drained(books) == [CONTACT_RUN]
    [run] = brought_in_step(books)
    assert (run.kind, row(books).state, address(books)) == (INVOICE_ISSUED, S.PLANNED, OTHER_MOBILE)


def test_who_is_left_and_cannot_be_found_is_asked_for_no_longer_than_the_run_of_the_event(
    books: Polling,
) -> None:
    del books.xero.rows["Contacts"][OTHER_CONTACT]
    merged(books)
    drained(books)
    assert brought_in_step(books) == []
    assert (row(books).state, row(books).reason) == (S.SKIPPED, "contact_closed")
    assert inbox.waiting(books.engine, TENANT, now=books.clock.now + timedelta(days=1)) == 0


def test_the_look_before_sending_follows_a_merge_that_the_invoice_s_own_reading_brought(
    books: Polling,
) -> None:
    books.xero.contact(ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    books.xero.invoice(Contact=books.xero.rows["Contacts"][CONTACT], updated=None)
    BurstReader(books.access(TENANT, Purpose.LOOK_AGAIN)).look_again([INVOICE], since=books.clock.now)
    with reading(books.engine) as session:
        [known] = known_of(session, TENANT, [INVOICE]).values()
    assert known.contact_id == OTHER_CONTACT
