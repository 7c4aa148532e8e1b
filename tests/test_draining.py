"""Events become what people are owed: the current state of the record decides, not the event."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.reading import Reading
from duebell.ledger import inbox, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification, XeroEvent
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.draining import RunToStart
from duebell.states import NotificationState
from tests.support_facts import (
    INVOICE,
    MINUTE,
    NOW,
    RULES,
    TENANT,
    counted,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
)

S = NotificationState
FOUND = Reading(0, 1)


def event(engine: Engine, resource_id: str = INVOICE, *, category: str = "INVOICE", minute: int = 0) -> None:
    at = NOW + minute * MINUTE
    new = NewEvent(TENANT, category, resource_id, "UPDATE", at.isoformat(), at)
    inbox.keep(engine, [new], [], now=at)


def drain(engine: Engine, read: Reading = FOUND, *, minute: int = 1) -> list[RunToStart]:
    now = NOW + minute * MINUTE
    claimed = inbox.claim(engine, TENANT, now=now, most=100)
    with writing(engine, now) as book:
        return draining.record_changes(book, TENANT, claimed, read, RULES, flow_run_id="run 1")


def read(engine: Engine, invoice_id: str = INVOICE, *, minute: int = 1, **fields: Any) -> None:
    at = NOW + minute * MINUTE
    keep_invoice(engine, invoice_body(invoice_id, updated_at=at, **fields), read_at=at)


def the_only(engine: Engine) -> Notification:
    with reading(engine) as session:
        return session.exec(select(Notification)).one()


def outcomes(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        rows = session.exec(select(XeroEvent.state, XeroEvent.outcome).order_by("event_id")).all()
    return list(rows)


def happened(engine: Engine, minute: int, **fields: Any) -> list[RunToStart]:
    """An event comes, the record is read, and both are handled."""
    event(engine, minute=minute)
    read(engine, minute=minute + 1, **fields)
    return drain(engine, minute=minute + 1)


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """A connected tenant with one customer."""
    open_tenant(ledger)
    keep_contact(ledger)
    return ledger


def test_an_invoice_that_is_born_approved_is_told_of(books: Engine) -> None:
    assert happened(books, 0) == [RunToStart("invoice_issued", (INVOICE,), ("INV-21845",))]
    assert outcomes(books) == [("handled", "invoice issued")]
    assert the_only(books).state == S.PLANNED
    assert broken(books) == []


def test_a_draft_is_told_of_once_it_is_approved(books: Engine) -> None:
    assert happened(books, 0, Status="DRAFT") == []
    assert len(happened(books, 10)) == 1
    assert outcomes(books) == [("handled", "the invoice is draft"), ("handled", "invoice issued")]


def test_an_invoice_that_is_edited_later_is_not_announced_again(books: Engine) -> None:
    happened(books, 0)
    assert happened(books, 10, Total=999, AmountDue=999) == []
    assert happened(books, 20, Reference="other") == []
    assert outcomes(books)[1:] == [("handled", "issued before")] * 2
    assert counted(books, Notification) == 1


def test_an_invoice_that_was_paid_before_we_looked_is_not_told_of_and_says_why(books: Engine) -> None:
    assert happened(books, 0, Status="PAID", AmountDue=0) == []
    assert (the_only(books).state, the_only(books).reason) == (S.SKIPPED, "already_paid")


def test_an_old_invoice_that_is_entered_late_is_not_told_of_and_says_why(books: Engine) -> None:
    assert happened(books, 0, DateString="2026-10-01T00:00:00") == []
    assert the_only(books).reason == "too_old"


def test_a_bill_owes_nobody_anything(books: Engine) -> None:
    assert happened(books, 0, Type="ACCPAY") == []
    assert outcomes(books) == [("handled", "not a sales invoice")]
    assert counted(books, Notification) == 0


def test_several_events_of_one_invoice_are_one_message(books: Engine) -> None:
    for second in range(4):
        event(books, minute=second)
    read(books, minute=4)
    assert [run.record_ids for run in drain(books, minute=4)] == [(INVOICE,)]
    assert outcomes(books) == [("handled", "invoice issued")] * 4
    assert counted(books, Notification) == 1


def test_many_invoices_are_divided_into_runs(books: Engine) -> None:
    ids = [numbered(number) for number in range(draining.RUN_SIZE + 1)]
    for invoice_id in ids:
        event(books, invoice_id)
        read(books, invoice_id)
    runs = drain(books)
    assert [len(run.record_ids) for run in runs] == [draining.RUN_SIZE, 1]
    assert [one for run in runs for one in run.record_ids] == ids


def first_sync(engine: Engine, **fields: Any) -> None:
    body = invoice_body(updated_at=NOW - 9 * MINUTE, **fields)
    keep_invoice(engine, body, read_at=NOW, silent_until=NOW)


def test_what_stood_in_xero_at_the_first_sync_is_never_announced(books: Engine) -> None:
    first_sync(books)
    assert snapshots.never_compared(books, TENANT) == []
    assert happened(books, 0, Reference="edited") == []
    assert counted(books, Notification) == 0


def test_a_draft_of_the_first_sync_is_told_of_once_it_is_approved(books: Engine) -> None:
    first_sync(books, Status="DRAFT")
    assert len(happened(books, 0)) == 1
    assert the_only(books).state == S.PLANNED


def test_news_during_the_first_sync_is_told(books: Engine) -> None:
    keep_invoice(books, invoice_body(updated_at=NOW), read_at=NOW, silent_until=NOW)
    assert [invoice_id for invoice_id, _ in snapshots.never_compared(books, TENANT)] == [INVOICE]
    event(books)
    assert len(drain(books)) == 1


def test_a_record_that_was_read_before_its_event_came_is_read_again_first(books: Engine) -> None:
    read(books, minute=1)
    event(books, minute=2)
    assert drain(books, minute=3) == []
    assert outcomes(books) == [("pending", "the record could not be read")]
    read(books, minute=6)
    assert len(drain(books, minute=6)) == 1


def test_what_is_approved_between_two_walks_of_the_first_sync_is_news(books: Engine) -> None:
    first_sync(books, Status="DRAFT")
    keep_invoice(books, invoice_body(updated_at=NOW), read_at=NOW + MINUTE, silent_until=NOW)
    assert [invoice_id for invoice_id, _ in snapshots.never_compared(books, TENANT)] == [INVOICE]


def test_an_unreadable_record_is_left_for_later_and_holds_up_no_other(books: Engine) -> None:
    event(books)
    event(books, numbered(1))
    read(books, numbered(1))
    runs = drain(books, Reading(0, 1, bad=((INVOICE, "Invoice.Total is not money"),)))
    assert [run.record_ids for run in runs] == [(numbered(1),)]
    assert outcomes(books) == [("pending", "Invoice.Total is not money"), ("handled", "invoice issued")]
    read(books, minute=9)
    assert [run.record_ids for run in drain(books, minute=9)] == [(INVOICE,)]


def test_a_record_that_stays_unreadable_is_given_up_with_its_reason(books: Engine) -> None:
    event(books)
    now, looks = NOW, 0
    while inbox.waiting(books, TENANT, now=now + timedelta(days=1)):
        now += timedelta(hours=3)
        looks += 1
        claimed = inbox.claim(books, TENANT, now=now, most=100)
        with writing(books, now) as book:
            missing = Reading(0, 0, missing=(INVOICE,))
            draining.record_changes(book, TENANT, claimed, missing, RULES, flow_run_id=None)
    assert looks == draining.MOST_ATTEMPTS
    assert outcomes(books) == [("handled", "given up: Xero knows no such record")]


def test_drains_that_failed_before_they_looked_do_not_make_a_record_given_up(books: Engine) -> None:
    event(books)
    for hour in range(20):
        assert inbox.claim(books, TENANT, now=NOW + timedelta(hours=hour), most=100)
    late = 60 * 24
    drain(books, Reading(0, 0, bad=((INVOICE, "cut short"),)), minute=late)
    assert outcomes(books) == [("pending", "cut short")]
    read(books, minute=late + 9)
    assert len(drain(books, minute=late + 9)) == 1


def test_a_drain_whose_claim_was_lost_closes_nothing(books: Engine) -> None:
    event(books)
    read(books)
    stale = inbox.claim(books, TENANT, now=NOW + MINUTE, most=100)
    assert inbox.claim(books, TENANT, now=NOW + 60 * MINUTE, most=100)
    with writing(books, NOW + 60 * MINUTE) as book:
        draining.record_changes(book, TENANT, stale, FOUND, RULES, flow_run_id=None)
    assert outcomes(books) == [("pending", "")]
    assert counted(books, Notification) == 1
    drain(books, minute=9 * 60)
    assert counted(books, Notification) == 1
