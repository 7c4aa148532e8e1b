"""What is told in one message goes the next way together, also where the one that led is told no more."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.keys import INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import legs
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import writing
from duebell.states import AttemptState, NotificationState
from tests.support_facts import MOBILE, PARKED, conclude, keep_contact, open_tenant, receipt
from tests.support_overdue import Office, a_payment, at, due, office_over, policy_text

S = NotificationState
DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
EMAIL = "rimu@customer.example"
PAID = {"Status": "PAID", "AmountDue": 0, "AmountPaid": 115, "FullyPaidOnDate": "/Date(1793664000000+0000)/"}
BOTH = 'channels = ["sms", "email"]\n'
REFUSED = Conclusion(
    AttemptState.REFUSED, S.GIVEN_UP, reason="twilio:21211", error_code=21211, falls_back=True
)
NOT_DUE = due(DUE + 60 * DAY, DateString="2026-09-01T00:00:00")
UNANSWERED = replace(PARKED, falls_back=True)


def started(engine: Engine, folder: Path, overdue: str = "") -> Office:
    """A business that reminds by SMS and then by email."""
    open_tenant(engine)
    keep_contact(engine, EmailAddress=EMAIL, read_at=at(DUE - 30 * DAY))
    text = policy_text(BOTH + overdue).replace("[payment_received]\n", f"[payment_received]\n{BOTH}")
    return office_over(engine, folder, at(DUE + DAY), text, email_from="us@kauri.example")


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    return started(ledger, tmp_path)


@pytest.fixture
def small(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return started(sqlite_ledger, tmp_path)


def reminded_together(office: Office, *numbers: int) -> Attempt:
    """One SMS about these invoices goes out; returns its attempt."""
    office.keeps(*numbers, **due(DUE))
    office.day()
    return the_last(office)


def the_last(office: Office) -> Attempt:
    with reading(office.engine) as session:
        return session.exec(select(Attempt).order_by(col(Attempt.started_at).desc())).all()[0]


def comes_back(office: Office, sent: Attempt, code: int = 30003) -> None:
    """The network says that the SMS did not arrive."""
    news = replace(receipt("undelivered", attempt_id=sent.attempt_id, code=code), sid=sent.sid or "")
    keep_receipt(office.engine, news, now=office.clock.now)


def is_paid(office: Office, number: int, **fields: Any) -> None:
    """The invoice is paid, as Xero tells; what is left of the others is decided anew."""
    office.keeps(number, **due(DUE, **(PAID | fields)))
    office.hears(number)
    office.day()


def rows(office: Office, kind: str = INVOICE_OVERDUE) -> list[Notification]:
    with reading(office.engine) as session:
        wanted = select(Notification).where(Notification.kind == kind)
        return list(session.exec(wanted.order_by(col(Notification.notification_id))).all())


def ways(office: Office, row: Notification) -> list[tuple[str, str]]:
    with reading(office.engine) as session:
        return [(leg.channel, leg.over) for leg in legs.of(session, row.notification_id or 0)]


def told_by(office: Office, row: Notification) -> str:
    with reading(office.engine) as session:
        return legs.current(session, session.get_one(Notification, row.notification_id)).channel


@pytest.mark.parametrize("paid", [1, 2])
def test_whichever_is_paid_the_others_go_by_email_on_the_next_day(office: Office, paid: int) -> None:
    comes_back(office, reminded_together(office, 1, 2, 3))
    office.later(hours=3)
    is_paid(office, paid)
    for _ in range(20):
        office.later(hours=1)
        office.day()
        office.nets()
    assert [to for to, _ in office.phones.heard] == [MOBILE]
    office.later(hours=1)
    office.day()
    office.nets()
    assert [to for to, _ in office.phones.heard] == [MOBILE, EMAIL]
    assert f"INV-000{paid}" not in office.phones.to(EMAIL)[0]
    assert [state for *_, state, _ in office.stands()].count("accepted") == 2
    assert broken(office.engine) == []


def test_a_number_that_is_refused_is_refused_for_all(small: Office) -> None:
    sent = reminded_together(small, 1, 2)
    with writing(small.engine, small.clock.now) as book:
        attempt = book.session.get_one(Attempt, sent.attempt_id)
        attempt.state, attempt.sid, attempt.provider_status = AttemptState.SENDING.value, None, ""
        for row in book.session.exec(select(Notification)).all():
            row.state, row.lease_until = S.SENDING.value, small.clock.now + DAY
    conclude(small.engine, REFUSED, sent.attempt_id, now=small.clock.now)
    is_paid(small, 1)
    small.nets()
    small.later(minutes=1)
    small.nets()
    assert [to for to, _ in small.phones.heard] == [MOBILE, EMAIL]
    assert ways(small, rows(small)[1]) == [("sms", "twilio:21211"), ("email", "")]
    assert broken(small.engine) == []


def test_a_channel_that_is_closed_to_us_is_closed_for_all(small: Office) -> None:
    small.keeps(1, 2, **due(DUE))
    small.sweeps()
    lead, other = rows(small)
    with writing(small.engine, small.clock.now) as book:
        first = book.session.get_one(Notification, lead.notification_id)
        assert legs.pass_on(book.session, first, "channel_stopped")
    assert [told_by(small, one) for one in (lead, other)] == ["email", "email"]
    is_paid(small, 1)
    small.later(minutes=1)
    small.nets()
    assert [to for to, _ in small.phones.heard] == [EMAIL]


def test_the_channel_is_open_again_for_all_once_it_is_proven_that_the_message_was_taken(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, "fall_back_unknown = true\n")
    sent = reminded_together(office, 1, 2)
    with writing(office.engine, office.clock.now) as book:
        attempt = book.session.get_one(Attempt, sent.attempt_id)
        attempt.state, attempt.sid, attempt.provider_status = AttemptState.UNKNOWN.value, None, ""
        for row in book.session.exec(select(Notification)).all():
            row.state = S.UNKNOWN.value
    conclude(office.engine, UNANSWERED, sent.attempt_id, now=office.clock.now)
    assert {told_by(office, row) for row in rows(office)} == {"email"}
    keep_receipt(
        office.engine, replace(receipt("sent", attempt_id=sent.attempt_id), sid=sent.sid or ""),
        now=office.clock.now,
    )  # fmt: skip
    assert {row.state for row in rows(office)} == {"sent"}
    assert [ways(office, row) for row in rows(office)] == [[("sms", ""), ("email", "")]] * 2
    assert {told_by(office, row) for row in rows(office)} == {"sms"}
    comes_back(office, sent)
    assert {told_by(office, row) for row in rows(office)} == {"email"}
    assert broken(office.engine) == []


def test_of_two_payments_in_one_message_the_one_that_stands_goes_by_email(small: Office) -> None:
    small.keeps(1, 2, **NOT_DUE)
    small.later(minutes=5)
    for number in (1, 2):
        paid = {"AmountDue": 75, "AmountPaid": 40, "Payments": [a_payment(number, 40, DUE + DAY)]}
        small.keeps(number, **(NOT_DUE | paid))
    small.runs(small.hears(1, 2))
    assert [to for to, _ in small.phones.heard] == [MOBILE]
    comes_back(small, the_last(small))
    small.later(hours=1)
    small.keeps(1, **NOT_DUE)  # the payment was removed
    small.hears(1)
    assert told_by(small, rows(small, PAYMENT_RECEIVED)[1]) == "email"
    small.later(hours=24)
    small.nets()
    assert [to for to, _ in small.phones.heard] == [MOBILE, EMAIL]
    assert broken(small.engine) == []


def test_what_came_back_keeps_no_other_reminder_waiting_but_does_not_ring_the_same_phone_that_day(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, 'group = false\nfall_back = "next_day"\n')
    comes_back(office, reminded_together(office, 1))
    office.later(hours=1)
    office.keeps(2, **due(DUE))
    office.day()
    assert ("2", "overdue", "held", "too_many") in office.stands()


def test_what_arrived_after_all_keeps_the_others_waiting(small: Office) -> None:
    sent = reminded_together(small, 1, 2)
    comes_back(small, sent)
    small.later(hours=1)
    is_paid(small, 1)
    arrived = replace(receipt("delivered", attempt_id=sent.attempt_id), sid=sent.sid or "")
    keep_receipt(small.engine, arrived, now=small.clock.now)
    small.later(hours=25)
    small.day()
    small.nets()
    assert small.stands()[1] == ("2", "overdue", "held", "too_soon")
    assert [to for to, _ in small.phones.heard] == [MOBILE]


def test_what_came_back_by_our_fault_is_said_by_sms_again_of_the_others_too(small: Office) -> None:
    keep_contact(small.engine, read_at=small.clock.now)  # without an address
    comes_back(small, reminded_together(small, 1, 2), 30034)  # a sender that was not registered
    small.later(hours=1)
    is_paid(small, 1)
    for _ in range(30):
        small.later(hours=1)
        small.day()
        small.nets()
    assert [to for to, _ in small.phones.heard] == [MOBILE, MOBILE]
    assert "INV-0001" not in small.phones.to(MOBILE)[1]
    assert broken(small.engine) == []
