"""Payments become what people are told: each once, whatever is removed, entered anew or split."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.reading import Reading
from duebell.keys import PAYMENT_RECEIVED
from duebell.ledger import inbox, notifications
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification, PaymentSnapshot
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.draining import RunToStart
from duebell.planning.planning import plan_kind
from duebell.policy_file.policy import Policy
from duebell.states import NotificationState
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    RULES,
    TENANT,
    accepted,
    begin,
    claim,
    conclude,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
)
from tests.support_ledger import copied

S = NotificationState
DAY = date(2026, 11, 20)


def payment(number: int, amount: str = "20.00", day: date = DAY) -> dict[str, Any]:
    return {
        "PaymentID": numbered(900 + number),
        "Amount": float(amount),
        "Date": f"/Date({_epoch(day)}+0000)/",
    }


def _epoch(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000


def body(*payments: dict[str, Any], invoice_id: str = INVOICE, minute: int = 0, **fields: Any) -> str:
    paid = sum((Decimal(str(one["Amount"])) for one in payments), Decimal(0))
    settled: dict[str, Any] = {
        "AmountPaid": float(paid),
        "AmountDue": float(115 - paid),
        "Payments": list(payments),
    }
    if paid == 115:
        settled["Status"] = "PAID"
    return invoice_body(invoice_id, updated_at=NOW + minute * MINUTE, **(settled | fields))


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """A tenant that is watched, with two customers and an invoice that was told of before."""
    open_tenant(ledger)
    keep_contact(ledger)
    keep_contact(ledger, OTHER_CONTACT, OTHER_MOBILE)
    keep_invoice(ledger, body(), read_at=NOW, silent_until=NOW + timedelta(days=1))
    return ledger


class Watch:
    """Hands every new state of the books to the drain, as events would."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.minute = 0

    def sees(self, *bodies: str) -> list[RunToStart]:
        self.minute += 1
        at = NOW + self.minute * MINUTE
        ids = [json.loads(one)["InvoiceID"] for one in bodies]
        new = [NewEvent(TENANT, "INVOICE", one, "UPDATE", at.isoformat(), at) for one in ids]
        inbox.keep(self.engine, new, [], now=at)
        for one in bodies:
            keep_invoice(self.engine, one, read_at=at)
        claimed = inbox.claim(self.engine, TENANT, now=at, most=100)
        with writing(self.engine, at) as book:
            return draining.record_changes(book, TENANT, claimed, Reading(0, 1), RULES, flow_run_id="run 1")

    def pays(self, *payments: dict[str, Any], **fields: Any) -> list[RunToStart]:
        return self.sees(body(*payments, minute=self.minute + 1, **fields))


def rows(engine: Engine) -> list[Notification]:
    with reading(engine) as session:
        found = session.exec(select(Notification).where(Notification.kind == PAYMENT_RECEIVED)).all()
    return sorted(found, key=lambda row: row.notification_id or 0)


def stands(engine: Engine) -> list[tuple[str, str, str]]:
    return [(row.subject_id[-3:], row.state, row.reason) for row in rows(engine)]


def tell_all(engine: Engine, minute: int) -> list[int]:
    """Claims and sends whatever can be sent now; returns the notifications that led a message."""
    now = NOW + minute * MINUTE
    sent: list[int] = []
    for row in rows(engine):
        taken = claim(engine, row.notification_id or 0, now=now)
        if taken:
            attempt = f"a{row.notification_id}"
            assert begin(engine, taken, attempt, now=now)
            conclude(engine, accepted(row.notification_id or 0), attempt, now=now)
            sent.append(row.notification_id or 0)
    return sent


SUBJECT = numbered(901)[-3:]


def test_a_payment_is_owed_to_its_customer_under_its_own_key(books: Engine) -> None:
    [run] = Watch(books).pays(payment(1))
    assert (run.kind, run.record_ids) == (PAYMENT_RECEIVED, (INVOICE,))
    [row] = rows(books)
    assert row.key == f"{TENANT}:payment_received:{numbered(901)}::contact:{CONTACT}"
    assert (row.state, row.invoice_id) == (S.PLANNED, INVOICE)


def test_part_payments_are_told_one_by_one(books: Engine) -> None:
    watch = Watch(books)
    watch.pays(payment(1))
    tell_all(books, watch.minute)
    watch.pays(payment(1), payment(2, "95.00", DAY + timedelta(days=1)))
    assert [state for _, state, _ in stands(books)] == [S.ACCEPTED, S.HELD]
    assert rows(books)[1].reason == "dated_ahead"


def test_a_payment_that_was_told_and_is_entered_anew_is_not_told_again(books: Engine) -> None:
    watch = Watch(books)
    watch.pays(payment(1))
    tell_all(books, watch.minute)
    assert watch.pays() == []
    assert watch.pays(payment(2)) == []
    assert watch.pays() == []
    assert watch.pays(payment(3)) == []
    assert stands(books) == [(SUBJECT, S.ACCEPTED, "")]
    assert broken(books) == []


def test_a_payment_that_is_removed_before_it_was_told_is_not_told_until_it_is_entered_anew(
    books: Engine,
) -> None:
    watch = Watch(books)
    watch.pays(payment(1))
    watch.pays()
    assert stands(books) == [(SUBJECT, S.SKIPPED, "payment_removed")]
    [run] = watch.pays(payment(2))
    assert run.record_ids == (INVOICE,)
    assert stands(books) == [(SUBJECT, S.PLANNED, "")]


def test_two_equal_payments_of_one_day_are_two(books: Engine) -> None:
    Watch(books).pays(payment(1), payment(2))
    assert len(rows(books)) == 2


def test_two_equal_payments_that_are_entered_anew_stay_two(books: Engine) -> None:
    watch = Watch(books)
    watch.pays(payment(1), payment(2))
    watch.pays()
    watch.pays(payment(3), payment(4))
    assert [state for _, state, _ in stands(books)] == [S.PLANNED, S.PLANNED]


def test_another_amount_or_another_day_is_another_payment(books: Engine) -> None:
    watch = Watch(books)
    watch.pays(payment(1))
    tell_all(books, watch.minute)
    watch.pays()
    watch.pays(payment(2, "25.00"))
    assert len(rows(books)) == 2


def test_a_payment_from_before_connecting_is_never_told_however_often_it_is_entered_anew(
    books: Engine,
) -> None:
    keep_invoice(books, body(payment(1)), read_at=NOW, silent_until=NOW + timedelta(days=1))
    watch = Watch(books)
    watch.pays()
    watch.pays(payment(2))
    assert {(state, reason) for _, state, reason in stands(books)} == {
        (S.SKIPPED, "known_before_connecting"),
    }


def test_a_payment_dated_ahead_is_held_until_its_day_begins_for_the_organisation(books: Engine) -> None:
    Watch(books).pays(payment(1, day=DAY + timedelta(days=3)))
    [row] = rows(books)
    assert (row.state, row.reason) == (S.HELD, "dated_ahead")
    assert row.not_before is not None
    assert row.not_before.isoformat() == "2026-11-22T11:00:00+00:00"  # midnight of the 23rd in Auckland


def test_an_old_payment_is_not_confirmed(books: Engine) -> None:
    Watch(books).pays(payment(1, day=DAY - timedelta(days=15)))
    assert stands(books) == [(SUBJECT, S.SKIPPED, "too_old")]


def invoices_paid_together(number: int, **more: Any) -> tuple[str, ...]:
    return tuple(body(payment(n), invoice_id=numbered(n), minute=1, **more) for n in range(1, number + 1))


def test_what_a_customer_paid_on_one_day_is_one_message(books: Engine) -> None:
    [*_, run] = Watch(books).sees(*invoices_paid_together(3))
    assert (run.kind, len(run.record_ids)) == (PAYMENT_RECEIVED, 3)
    lead, *others = rows(books)
    assert [row.lead_id for row in others] == [lead.notification_id] * 2
    assert tell_all(books, 1) == [lead.notification_id]
    assert {state for _, state, _ in stands(books)} == {S.ACCEPTED}
    assert broken(books) == []


def test_customers_currencies_and_days_are_kept_apart(books: Engine) -> None:
    other = body(payment(2), invoice_id=numbered(2), minute=1, Contact={"ContactID": OTHER_CONTACT})
    foreign = body(payment(3), invoice_id=numbered(3), minute=1, CurrencyCode="AUD")
    earlier = body(payment(4, day=DAY - timedelta(days=1)), invoice_id=numbered(4), minute=1)
    Watch(books).sees(*invoices_paid_together(1), other, foreign, earlier)
    assert {row.lead_id for row in rows(books)} == {None}


BRANDS = replace(
    RULES,
    policy=Policy.model_validate(
        {
            "payment_received": {"opens": "00:00", "closes": "00:00"},
            "sending": {"sender": "Kauri"},
            "rule": [
                {"when": {"reference": "RIMU*"}, "then": {"sender": "Rimu"}},
                {"when": {"reference": "KAURI*"}, "then": {"sender": "Kauri"}},
            ],
        }
    ),
)


def test_what_rules_have_said_in_other_words_or_from_somebody_else_is_kept_apart(books: Engine) -> None:
    references = ["RIMU 1", "", "RIMU 2", "KAURI 1"]
    Watch(books).sees(
        *(
            body(payment(n), invoice_id=numbered(n), minute=1, Reference=reference)
            for n, reference in enumerate(references, start=1)
        )
    )
    with writing(books, NOW + 2 * MINUTE) as book:
        ids = [numbered(n) for n in range(1, 5)]
        plan_kind(book, TENANT, PAYMENT_RECEIVED, ids, BRANDS, actor="test", flow_run_id=None)
    rimu, kauri, *others = rows(books)
    assert [row.lead_id for row in (rimu, kauri)] == [None, None]
    assert [row.lead_id for row in others] == [rimu.notification_id, kauri.notification_id]
    assert broken(books) == []


def test_a_payment_that_is_removed_leaves_the_message_and_the_others_are_told_without_it(
    books: Engine,
) -> None:
    watch = Watch(books)
    watch.sees(*invoices_paid_together(3))
    watch.sees(body(invoice_id=numbered(1), minute=2))
    assert broken(books) == []
    with writing(books, NOW + 3 * MINUTE) as book:
        ids = [numbered(2), numbered(3)]
        planned = plan_kind(book, TENANT, PAYMENT_RECEIVED, ids, RULES, actor="test", flow_run_id=None)
        assert len(notifications.claim_all(book, planned, "run 2")) == 1
    assert [row.state for row in rows(books)] == [S.SKIPPED, S.CLAIMED, S.CLAIMED]
    assert broken(books) == []


def test_what_is_told_in_anothers_message_is_not_claimed_by_itself(books: Engine) -> None:
    Watch(books).sees(*invoices_paid_together(3))
    lead, *others = rows(books)
    assert all(claim(books, row.notification_id or 0, now=NOW + MINUTE) is None for row in others)
    assert claim(books, lead.notification_id or 0, now=NOW + MINUTE) is not None


def test_planning_one_of_them_anew_keeps_them_in_one_message(books: Engine) -> None:
    watch = Watch(books)
    watch.sees(*invoices_paid_together(3))
    with writing(books, NOW + 2 * MINUTE) as book:
        plan_kind(book, TENANT, PAYMENT_RECEIVED, [numbered(1)], RULES, actor="test", flow_run_id=None)
    lead, *others = rows(books)
    assert [row.lead_id for row in others] == [lead.notification_id] * 2


def test_a_claim_names_every_invoice_of_its_message(books: Engine) -> None:
    Watch(books).sees(*invoices_paid_together(3))
    taken = claim(books, rows(books)[0].notification_id or 0, now=NOW + MINUTE)
    assert taken is not None
    assert set(taken.invoice_ids) == {numbered(1), numbered(2), numbered(3)}
    assert all(claim(books, row.notification_id or 0, "another") is None for row in rows(books))


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "remove", "tell", "look"]), st.integers(0, 2), st.integers(1, 2)),
    max_size=14,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_no_history_of_one_payment_entered_and_removed_tells_it_twice(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """Of payments of one amount and day, never more are told than stood at one time."""
    engine = copied(migrated, tmp_path_factory.mktemp("history"))
    open_tenant(engine)
    keep_contact(engine)
    keep_invoice(engine, body(), read_at=NOW, silent_until=NOW + timedelta(days=1))
    watch, most, fresh = Watch(engine), 0, 0
    standing: list[dict[str, Any]] = []
    for step, place, count in steps:
        if step == "enter":
            for _ in range(count):
                fresh += 1
                standing.append(payment(fresh, "1.00"))
        elif step == "remove" and standing:
            standing.pop(place % len(standing))
        elif step == "look":
            watch.pays(*standing)
            most = max(most, len(standing))
        else:
            tell_all(engine, watch.minute)
    told = [row for row in rows(engine) if row.state == S.ACCEPTED]
    assert len(told) <= most
    assert broken(engine) == []
    with reading(engine) as session:
        kept = session.exec(select(PaymentSnapshot)).all()
    assert len({row.subject_id for row in kept}) <= max(most, 1)
    engine.dispose()
