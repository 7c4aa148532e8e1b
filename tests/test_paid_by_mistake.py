"""An invoice that was left unsaid because it was paid is announced once what settled it is taken off."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.books.reading import Reading
from duebell.deciding.deciding import Rules
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.ledger import inbox
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification, XeroEvent
from duebell.ledger.writing import writing
from duebell.planning.draining import record_changes
from duebell.planning.planning import plan_kind
from duebell.sending.resending import resend
from duebell.sending.telling import rules_of
from duebell.showing import explaining
from duebell.states import Sending
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    RULES,
    TENANT,
    invoice_body,
    keep_contact,
    keep_invoice,
    open_tenant,
    policy,
    resources_over,
)
from tests.support_lists import Polling
from tests.support_watching import Office
from tests.test_payments_told import Watch, body, payment

CREDITED: dict[str, Any] = {"Status": "PAID", "AmountDue": 0, "AmountCredited": 115}
PAID = "skipped", "already_paid"


@pytest.fixture
def watch(ledger: Engine) -> Watch:
    """A tenant that is watched, with one customer and a draft."""
    open_tenant(ledger)
    keep_contact(ledger)
    keep_invoice(ledger, body(Status="DRAFT"), read_at=NOW, silent_until=NOW + timedelta(days=1))
    return Watch(ledger)


def issued(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        wanted = select(Notification).where(Notification.kind == INVOICE_ISSUED)
        rows = session.exec(wanted.order_by(col(Notification.notification_id))).all()
    return [(row.state, row.reason) for row in rows]


def looked_at(engine: Engine, now: datetime) -> None:
    """A run decides on the invoice as it was read last, before any event of that was handled."""
    with writing(engine, now) as book:
        plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)


def read_anew(watch: Watch, *payments: dict[str, Any], **fields: Any) -> None:
    """The invoice is read, and no event of it was handled yet."""
    watch.minute += 1
    at = NOW + watch.minute * MINUTE
    keep_invoice(watch.engine, body(*payments, minute=watch.minute, **fields), read_at=at)


def drained(books: Polling | Office) -> None:
    """What waits in the inbox is handled, by what was read."""
    taken = inbox.claim(books.engine, TENANT, now=books.clock.now, most=9)
    with writing(books.engine, books.clock.now) as book:
        record_changes(book, TENANT, taken, Reading(0, 1), rules_of(books.resources), flow_run_id=None)


def test_it_is_announced_once_the_payment_is_removed(watch: Watch) -> None:
    watch.pays(payment(1, "115.00"))
    assert issued(watch.engine) == [PAID]
    [run] = watch.pays()
    assert (run.kind, run.record_ids, issued(watch.engine)) == (INVOICE_ISSUED, (INVOICE,), [("planned", "")])
    assert broken(watch.engine) == []


def test_it_is_announced_once_the_credit_is_taken_off(watch: Watch) -> None:
    watch.pays(**CREDITED)
    assert issued(watch.engine) == [PAID]
    [run] = watch.pays()
    assert (run.kind, issued(watch.engine)) == (INVOICE_ISSUED, [("planned", "")])
    with reading(watch.engine) as session:
        outcomes = session.exec(select(XeroEvent.outcome).order_by(col(XeroEvent.event_id))).all()
    assert outcomes == ["invoice issued", "invoice owed on again"]


def test_it_is_announced_where_only_a_part_is_owed_again(watch: Watch) -> None:
    watch.pays(payment(1, "15.00"), payment(2, "100.00"))
    watch.pays(payment(1, "15.00"))
    assert issued(watch.engine) == [("planned", "")]


def test_it_is_announced_where_no_event_ever_showed_it_paid(watch: Watch) -> None:
    watch.pays()
    read_anew(watch, payment(1, "115.00"))
    looked_at(watch.engine, NOW + 2 * MINUTE)
    assert issued(watch.engine) == [PAID]
    [run] = watch.pays()
    assert (run.kind, issued(watch.engine)) == (INVOICE_ISSUED, [("planned", "")])


def test_a_poll_finds_it_where_no_event_of_it_came_at_all(ledger: Engine) -> None:
    books = Polling(ledger)
    books.xero.contact(Phones=[{"PhoneType": "MOBILE", "PhoneNumber": MOBILE}])
    books.xero.invoice()
    books.poll()
    drained(books)
    read_at = books.clock.now + MINUTE
    keep_invoice(ledger, invoice_body(updated_at=read_at, Status="PAID", AmountDue=0), read_at=read_at)
    looked_at(ledger, read_at)
    assert issued(ledger) == [PAID]
    books.clock.now += 2 * MINUTE
    books.xero.invoice()
    assert books.poll().found == 1
    drained(books)
    assert issued(ledger) == [("planned", "")]
    assert books.poll(minutes=20).found == 0


def test_what_twilio_held_and_was_taken_back_is_told_once_the_payment_is_removed(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = Office(sqlite_ledger, tmp_path)
    office.tells()
    office.invoice = {"Status": "PAID", "AmountDue": 0}
    office.until(NOW + 24 * MINUTE)
    office.tells()
    assert issued(office.engine) == [PAID]
    office.invoice = {}
    now = office.clock.now
    inbox.keep(office.engine, [NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "removed", now)], [], now=now)
    office.read_again(TENANT, [INVOICE], now)
    drained(office)
    assert issued(office.engine) == [("planned", "")]
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert len(office.twilio.went_out()) == 1


def test_who_was_told_of_it_is_not_told_again(watch: Watch) -> None:
    watch.pays()
    with writing(watch.engine, NOW + 2 * MINUTE) as book:
        book.session.exec(select(Notification)).one().state = "delivered"
    watch.pays(payment(1, "115.00"))
    assert [run.kind for run in watch.pays()] == []
    assert issued(watch.engine) == [("delivered", "")]


def test_one_from_before_connecting_is_not_told_of_and_says_why(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_contact(ledger)
    settled = body(payment(1, "115.00"))
    keep_invoice(ledger, settled, read_at=NOW, silent_until=NOW + timedelta(days=1))
    assert Watch(ledger).pays() == []
    assert issued(ledger) == [("skipped", "known_before_connecting")]


def test_one_that_is_old_by_then_is_not_announced_and_says_why(watch: Watch) -> None:
    watch.pays(payment(1, "115.00"), DateString="2026-11-20T00:00:00")
    watch.minute += 40 * 24 * 60
    assert watch.pays() == []
    assert issued(watch.engine) == [("skipped", "too_old")]


def test_explain_says_no_more_that_nothing_is_owed(watch: Watch) -> None:
    watch.pays(payment(1, "115.00"))
    watch.pays()
    told = explaining.explain(resources_over(watch.engine), INVOICE)
    [announced] = [one for one in told.people if one.kind == INVOICE_ISSUED]
    assert announced.stands == "planned"
    assert any("invoice owed on again" in one.what for one in told.happened)
    assert [one.stands for one in told.people if one.kind == PAYMENT_RECEIVED] == [
        "skipped: the payment was removed again in Xero"
    ]


def test_a_re_send_that_a_person_asked_for_stays_the_last_word(watch: Watch) -> None:
    watch.pays(payment(1, "115.00"))
    again = resend(resources_over(watch.engine), INVOICE, by="person:test", why="they asked")
    assert (again.state, again.reason) == PAID
    assert watch.pays() == []
    assert issued(watch.engine) == [PAID, PAID]


def test_the_further_persons_at_the_customer_hear_of_it_too(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.test_payments_told.RULES", Rules(policy(channels=["email"]), Sending.LIVE))
    ana = {"FirstName": "Ana", "LastName": "", "EmailAddress": "ana@rimu.example", "IncludeInEmails": True}
    keep_contact(watch.engine, CONTACT, EmailAddress="all@rimu.example", Phones=[], ContactPersons=[ana])
    watch.pays(payment(1, "115.00"))
    assert issued(watch.engine) == [PAID, PAID]
    watch.pays()
    assert issued(watch.engine) == [("planned", "")] * 2
