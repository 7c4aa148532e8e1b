"""A person may have it said again: under a new key, and never beside a message that is still to come."""

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import channel_stops, legs, preferences, snapshots, tenants
from duebell.ledger.engine import reading
from duebell.ledger.evidence import Conclusion
from duebell.ledger.invariants import broken
from duebell.ledger.outstanding import outstanding
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Audit, Brake, Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.resending import Resend, resend
from duebell.states import AttemptState, NotificationState
from duebell.xero.parse import parse_invoice_body
from tasks.again import run_for
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOT_PROCESSED,
    NOW,
    OTHER_TENANT,
    PARKED,
    RULES,
    TENANT,
    UNKNOWN,
    accepted,
    at_once,
    begin,
    claim,
    conclude,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    receipt,
    resources_over,
)

S = NotificationState
BASE = f"{TENANT}:invoice_issued:{INVOICE}::contact:{CONTACT}"
NUMBER = "INV-21845"


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """An issued invoice of a customer."""
    open_tenant(ledger)
    keep_contact(ledger)
    keep_invoice(ledger)
    return ledger


def again(engine: Engine, wanted: str = NUMBER) -> Resend:
    return resend(resources_over(engine), wanted, by="person:test", why="the customer lost it")


def first(engine: Engine) -> Notification:
    with writing(engine, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)
    return row


def sending(engine: Engine, row: Notification, attempt_id: str = "a1") -> None:
    claimed = claim(engine, row.notification_id or 0)
    assert claimed
    assert begin(engine, claimed, attempt_id)


def states(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        rows = session.exec(
            select(Notification.key, Notification.state).order_by(col(Notification.notification_id))
        ).all()
    return [(key.removeprefix(BASE), state) for key, state in rows]


def test_what_was_told_is_said_again_under_a_key_of_its_own(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    planned = again(books)
    assert (planned.key, planned.state) == (f"{BASE}#1", S.PLANNED)
    assert states(books) == [("", S.ACCEPTED), ("#1", S.PLANNED)]
    with reading(books) as session:
        row = session.exec(select(Notification).where(Notification.key == planned.key)).one()
        said = session.exec(select(Audit.actor, Audit.action).order_by(col(Audit.sequence).desc())).first()
    assert (row.generation, row.forced_by, row.forced_why) == (1, "person:test", "the customer lost it")
    assert said == ("person:test", "re-send asked for")
    assert broken(books) == []


def test_every_re_send_is_counted(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    for generation in (1, 2, 3):
        planned = again(books, INVOICE.upper())
        assert planned.key == f"{BASE}#{generation}"
        with reading(books) as session:
            row = session.exec(select(Notification).where(Notification.key == planned.key)).one()
        sending(books, row, f"r{generation}")
        conclude(books, accepted(1 + generation), f"r{generation}")
    assert broken(books) == []


@pytest.mark.parametrize("state", [S.PLANNED, S.CLAIMED, S.SENDING, S.UNKNOWN])
def test_no_second_message_beside_one_that_is_still_to_come(books: Engine, state: NotificationState) -> None:
    row = first(books)
    if state is S.CLAIMED:
        claim(books, row.notification_id or 0)
    elif state is not S.PLANNED:
        sending(books, row)
        if state is S.UNKNOWN:
            conclude(books, UNKNOWN)
    with pytest.raises(Permanent, match=f"{NUMBER} is {state.value}"):
        again(books)
    assert states(books) == [("", state)]


def test_a_re_send_that_waits_is_not_doubled(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    again(books)
    with pytest.raises(Permanent, match="planned"):
        again(books)
    assert states(books) == [("", S.ACCEPTED), ("#1", S.PLANNED)]


def test_re_sends_asked_for_at_once_are_one(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())

    def ask(_: int) -> str:
        try:
            return again(books).key
        except Permanent:
            return ""

    assert sorted(at_once(6, ask)) == [""] * 5 + [f"{BASE}#1"]
    assert broken(books) == []


def test_an_invoice_that_nobody_was_told_of_yet_gets_its_first_message_and_no_second(books: Engine) -> None:
    planned = again(books)
    assert (planned.key, planned.state) == (BASE, S.PLANNED)
    assert states(books) == [("", S.PLANNED)]


def test_what_was_known_before_connecting_is_said_when_a_person_wants_it(books: Engine) -> None:
    old = invoice_body(numbered(7), updated_at=NOW - 9 * MINUTE, DateString="2026-01-01T00:00:00")
    keep_invoice(books, old, silent_until=NOW)
    planned = again(books, numbered(7))
    assert (planned.key[-2:], planned.state) == ("#1", S.PLANNED)
    assert [state for _, state in states(books)] == [S.SKIPPED, S.PLANNED]
    assert broken(books) == []


def test_a_person_cannot_force_what_is_not_true(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    keep_invoice(
        books, invoice_body(Status="PAID", AmountDue=0, updated_at=NOW + MINUTE), read_at=NOW + MINUTE
    )
    planned = again(books)
    assert (planned.state, planned.reason) == (S.SKIPPED, "already_paid")


def test_the_first_message_never_comes_back_beside_a_re_send(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, UNKNOWN)
    conclude(books, PARKED)
    again(books)
    conclude(books, NOT_PROCESSED)
    with writing(books, NOW) as book:
        rows = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)
        assert [row.key for row in rows] == [f"{BASE}#1"]
    assert states(books) == [("", S.PARKED), ("#1", S.PLANNED)]
    assert broken(books) == []


def test_what_a_person_had_said_again_waits_for_no_person_any_more(books: Engine) -> None:
    """Else the next who looks has it said a third time."""
    sending(books, first(books))
    conclude(books, UNKNOWN)
    conclude(books, PARKED)
    assert waiting(books) == [("", S.PARKED)]
    again(books)
    assert waiting(books) == []
    with reading(books) as session:
        row = session.exec(select(Notification).where(Notification.generation == 1)).one()
    sending(books, row, "a2")
    conclude(books, UNKNOWN, "a2")
    assert waiting(books) == [("#1", S.UNKNOWN)]
    conclude(books, PARKED, "a2")
    assert waiting(books) == [("#1", S.PARKED)]


def waiting(engine: Engine) -> list[tuple[str, str]]:
    """What doctor and the UI say of what nobody knows for sure."""
    with reading(engine) as session:
        found = outstanding(session, now=NOW)
        keys = [session.get_one(Notification, one.notification_id).key for one in found]
    return [(key.removeprefix(BASE), one.state) for key, one in zip(keys, found, strict=True)]


def test_a_late_receipt_of_the_parked_first_message_disarms_the_re_send_that_waits(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, UNKNOWN)
    conclude(books, PARKED)
    again(books)
    keep_receipt(books, receipt("delivered", attempt_id="a1"), now=NOW)
    assert states(books) == [("", S.DELIVERED), ("#1", S.SKIPPED)]
    assert broken(books) == []


@pytest.mark.parametrize("status", ["undelivered", "failed"])
def test_a_message_that_came_back_and_arrived_after_all_disarms_the_re_send_that_waits(
    books: Engine, status: str
) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    keep_receipt(books, receipt(status, attempt_id="a1"), now=NOW)
    again(books)
    keep_receipt(books, receipt("delivered", attempt_id="a1"), now=NOW)
    assert states(books) == [("", S.DELIVERED), ("#1", S.SKIPPED)]
    assert broken(books) == []


@pytest.mark.parametrize("words", [["delivered"], ["sent", "delivered"]])
def test_a_message_that_was_given_up_and_arrived_after_all_disarms_the_re_send_that_waits(
    books: Engine, words: list[str]
) -> None:
    sending(books, first(books))
    conclude(books, Conclusion(AttemptState.REFUSED, S.GIVEN_UP, reason="twilio:30001"))
    again(books)
    for word in words:
        keep_receipt(books, receipt(word, attempt_id="a1"), now=NOW)
    assert states(books) == [("", S.DELIVERED), ("#1", S.SKIPPED)]
    assert broken(books) == []


def test_a_message_that_came_back_another_way_leaves_the_re_send_that_waits(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    keep_receipt(books, receipt("failed", attempt_id="a1"), now=NOW)
    again(books)
    keep_receipt(books, receipt("undelivered", attempt_id="a1"), now=NOW)
    assert states(books) == [("", S.UNDELIVERED), ("#1", S.PLANNED)]


def test_a_further_receipt_of_a_message_that_was_told_disarms_no_wanted_re_send(books: Engine) -> None:
    sending(books, first(books))
    conclude(books, accepted())
    again(books)
    keep_receipt(books, receipt("delivered", attempt_id="a1"), now=NOW)
    assert states(books) == [("", S.DELIVERED), ("#1", S.PLANNED)]
    assert broken(books) == []


def test_an_unknown_invoice_is_refused(books: Engine) -> None:
    with pytest.raises(Permanent, match="no sales invoice INV-404"):
        again(books, "INV-404")


def test_a_number_that_names_several_invoices_is_refused(books: Engine) -> None:
    open_tenant(books, OTHER_TENANT)
    body = invoice_body()
    snapshots.save_invoices(books, OTHER_TENANT, [(parse_invoice_body(body), body)], read_at=NOW)
    with pytest.raises(Permanent, match="several invoices"):
        again(books)


def test_a_re_send_that_waits_says_for_what_to_the_run_too(books: Engine) -> None:
    tenants.set_brake(books, stopped=True, by="person:test", why="", scope="all", now=NOW)
    tenants.set_brake(books, stopped=True, by="person:test", why="", scope=TENANT, now=NOW)
    asked = again(books)
    assert asked.waits == (
        "sending is stopped, and goes on with `duebell resume`; sending of this organisation is stopped, and "
        f"goes on with `duebell resume --tenant {TENANT}`"
    )
    assert asked.sentence() == f"{BASE} is planned, and waits: {asked.waits}"
    assert run_for.fn(asked, INVOICE_ISSUED) == []


@pytest.mark.parametrize("scope", ["channel:sms", "channel:sms:NZ"])
def test_a_re_send_by_a_channel_that_is_stopped_says_so_until_it_is_tried_again(
    books: Engine, scope: str
) -> None:
    with writing(books, NOW) as book:
        tried = NOW + 15 * MINUTE
        book.session.add(Brake(scope=scope, stopped=True, by="answer", changed_at=NOW, retry_at=tried))
    asked = again(books)
    assert "`duebell doctor` says which" in asked.waits
    with writing(books, NOW + 15 * MINUTE) as book:
        leg = legs.current(book.session, book.session.exec(select(Notification)).one())
        assert channel_stops.in_the_way(book, leg) is None


def test_a_re_send_that_goes_out_waits_for_nothing(books: Engine) -> None:
    asked = again(books)
    assert (asked.waits, asked.sentence()) == ("", f"{BASE} is planned")
    assert len(run_for.fn(asked, INVOICE_ISSUED)) == 1


def test_a_re_send_that_is_left_out_says_why_to_the_run_too(books: Engine) -> None:
    with writing(books, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)
        row.state = S.SKIPPED.value
        book.session.add(row)
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    asked = again(books)
    assert asked.sentence() == f"{BASE}#1 is skipped: the person asked for no more messages"
