"""Going live: what a person left out stays left out, whatever comes later, until a person asks for it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.tenants import WentLive
from duebell.ledger.writing import writing
from duebell.planning.replaying import replay
from duebell.sending.resending import resend
from duebell.showing import explaining
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    NOW,
    RULES,
    TENANT,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    resources_over,
)
from tests.test_payments_told import DAY, Watch, body, payment, stands, tell_all

LEFT_OUT = "planned_before_going_live"
FIRST, SECOND = numbered(901)[-3:], numbered(902)[-3:]


@pytest.fixture
def watch(ledger: Engine) -> Watch:
    """A tenant in review, with an invoice from before it was connected."""
    open_tenant(ledger, sending="review")
    keep_contact(ledger)
    keep_invoice(ledger, body(), read_at=NOW, silent_until=NOW + timedelta(days=1))
    return Watch(ledger)


def goes_live(watch: Watch, *, release_held: bool = False) -> WentLive:
    watch.minute += 1
    now = NOW + watch.minute * MINUTE
    return tenants.go_live(watch.engine, TENANT, "person:test", release_held=release_held, now=now)


def states(engine: Engine, kind: str) -> list[tuple[str, str]]:
    with reading(engine) as session:
        wanted = select(Notification).where(Notification.kind == kind)
        rows = session.exec(wanted.order_by(col(Notification.notification_id))).all()
    return [(row.state, row.reason) for row in rows]


def test_a_payment_that_was_left_out_does_not_come_back_with_the_next_part_payment(watch: Watch) -> None:
    watch.pays(payment(1))
    assert goes_live(watch) == WentLive(0, 1)
    watch.pays(payment(1), payment(2, "30.00"))
    assert stands(watch.engine) == [(FIRST, "skipped", LEFT_OUT), (SECOND, "planned", "")]
    assert len(tell_all(watch.engine, watch.minute)) == 1
    assert broken(watch.engine) == []


def test_nor_does_it_come_back_entered_anew(watch: Watch) -> None:
    watch.pays(payment(1))
    goes_live(watch)
    watch.pays()
    assert watch.pays(payment(2)) == []
    assert states(watch.engine, PAYMENT_RECEIVED) == [("skipped", LEFT_OUT)]


def test_nor_does_an_invoice_that_was_left_out_on_a_replay(watch: Watch) -> None:
    watch.sees(body(invoice_id=numbered(1)))
    goes_live(watch)
    with writing(watch.engine, NOW + 2 * MINUTE) as book:
        again = replay(book, TENANT, [numbered(1)], RULES, flow_run_id=None)
    assert (again.owed, again.runs) == (0, ())
    assert states(watch.engine, INVOICE_ISSUED) == [("skipped", LEFT_OUT)]


def test_what_was_released_is_told_and_what_comes_later_with_it(watch: Watch) -> None:
    watch.pays(payment(1))
    assert goes_live(watch, release_held=True) == WentLive(1, 0)
    watch.pays(payment(1), payment(2, "30.00"))
    assert [state for _, state, _ in stands(watch.engine)] == ["planned", "planned"]


def test_a_person_who_is_added_later_does_not_hear_of_what_was_left_out(watch: Watch) -> None:
    watch.pays(payment(1))
    goes_live(watch)
    ana = {"FirstName": "Ana", "LastName": "", "EmailAddress": "ana@rimu.example", "IncludeInEmails": True}
    later = NOW + (watch.minute + 1) * MINUTE
    keep_contact(watch.engine, CONTACT, read_at=later, EmailAddress="all@rimu.example", ContactPersons=[ana])
    watch.pays(payment(1), payment(2, "30.00", DAY - timedelta(days=1)))
    assert [row for row in stands(watch.engine) if row[0] == FIRST] == [(FIRST, "skipped", LEFT_OUT)]


def test_a_person_can_have_it_said_all_the_same(watch: Watch) -> None:
    watch.pays(payment(1))
    goes_live(watch)
    resources = resources_over(watch.engine)
    said = resend(resources, INVOICE, by="person:test", why="they asked for it", kind=PAYMENT_RECEIVED)
    assert (said.state, said.key[-2:]) == ("planned", "#1")
    watch.pays(payment(1), payment(2, "30.00"))
    assert [state for _, state, _ in stands(watch.engine)] == ["skipped", "planned", "planned"]
    assert broken(watch.engine) == []


def test_explain_says_that_it_was_left_out_and_by_whom(watch: Watch) -> None:
    watch.pays(payment(1))
    goes_live(watch)
    watch.pays(payment(1), payment(2, "30.00"))
    told = explaining.explain(resources_over(watch.engine), INVOICE, PAYMENT_RECEIVED)
    dropped = "it was planned in review and dropped when the organisation went live"
    assert told.people[0].stands == f"skipped: {dropped}"
    last = told.people[0].steps[-1]
    assert (last.who, last.what) == ("person:test", f"notification skipped: {dropped}")
