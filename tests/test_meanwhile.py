"""Two transactions at once: what one does while the other is at work is neither lost nor undone."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from duebell.books.reading import Reading
from duebell.errors import Transient
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import dispatch, hold_switch, inbox, present, snapshots, tenants, volumes
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.evidence import conclude
from duebell.ledger.failing import BUSY, tried_again
from duebell.ledger.inbox import ClaimedEvent, NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Notification, PaymentSnapshot, XeroEvent
from duebell.ledger.writing import Writing, writing
from duebell.planning import planning
from duebell.planning.contacts_in_step import bring_in_step, hand_over
from duebell.planning.draining import RunToStart, record_changes
from duebell.planning.replaying import replay
from duebell.sending.giving_back import hold_cancelled
from duebell.sending.resending import resend
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    NOW,
    PARKED,
    RULES,
    TENANT,
    UNKNOWN,
    accepted,
    begin,
    claim,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    receipt,
    resources_over,
    sent_off,
    the_attempt,
)
from tests.support_facts import conclude as concluded
from tests.support_ledger import emptied
from tests.support_meanwhile import beside, meanwhile
from tests.support_overdue import a_payment

A_MOMENT = timedelta(seconds=1)


def plans(book: Writing) -> list[Notification]:
    """What a drain does of the invoice."""
    return planning.plan_kind(
        book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="drain", flow_run_id="drain", begins=False
    )


def replays(book: Writing) -> object:
    return replay(book, TENANT, [INVOICE], RULES, flow_run_id="replay")


def come(engine: Engine, category: str, resource_id: str) -> Sequence[ClaimedEvent]:
    """An event comes, and a drain takes it."""
    inbox.keep(engine, [NewEvent(TENANT, category, resource_id, "UPDATE", "now", NOW)], [], now=NOW)
    return inbox.claim(engine, TENANT, now=NOW, most=50)


def drains(engine: Engine, events: Sequence[ClaimedEvent]) -> None:
    with writing(engine, NOW + A_MOMENT) as book:
        record_changes(book, TENANT, events, Reading(0, 1), RULES, flow_run_id="drain")


def rows(engine: Engine) -> list[Notification]:
    with reading(engine) as session:
        return list(session.exec(select(Notification).order_by("notification_id")).all())


@pytest.mark.parametrize("release_held", [True, False])
def test_what_is_planned_while_an_organisation_goes_live_is_kept_in_by_nobody(
    ledger: Engine, *, release_held: bool
) -> None:
    open_tenant(ledger, sending="review")
    keep_invoice(ledger, invoice_body())
    keep_contact(ledger)
    with writing(ledger, NOW) as book:
        [planned] = plans(book)
        assert (planned.state, planned.reason) == ("held", "in_review")
        other = meanwhile(
            lambda: tenants.go_live(ledger, TENANT, "a person", release_held=release_held, now=NOW + A_MOMENT)
        )
    other.join()
    [row] = rows(ledger)
    assert row.state == ("planned" if release_held else "skipped")
    assert len(dispatch.due(ledger, now=NOW + MINUTE)) == release_held
    assert broken(ledger) == []


def test_a_number_that_is_added_while_its_invoice_is_planned_is_written_to(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_invoice(ledger)
    keep_contact(ledger, Phones=[])

    def number_comes() -> None:
        keep_contact(ledger, read_at=NOW + A_MOMENT)
        with writing(ledger, NOW + 2 * A_MOMENT) as book:
            bring_in_step(book, TENANT, [CONTACT], RULES, flow_run_id="contact_changed")

    with writing(ledger, NOW) as book:
        [planned] = plans(book)
        assert planned.state == "skipped"
        other = meanwhile(number_comes)
    other.join()
    assert [row.state for row in rows(ledger)] == ["planned"]


@pytest.mark.parametrize("plan", [plans, replays])
def test_the_event_of_a_contact_waits_for_what_leaves_the_contact_out_at_that_moment(
    ledger: Engine, plan: Callable[[Writing], object]
) -> None:
    open_tenant(ledger)
    keep_invoice(ledger)
    keep_contact(ledger, Phones=[])
    follow: list[RunToStart] = []

    def contact_is_read() -> None:
        events = come(ledger, "CONTACT", CONTACT)
        keep_contact(ledger, read_at=NOW + A_MOMENT)
        with writing(ledger, NOW + 2 * A_MOMENT) as book:
            follow.extend(hand_over(book, TENANT, events, Reading(0, 1)))

    with writing(ledger, NOW) as book:
        plan(book)
        other = meanwhile(contact_is_read)
    other.join()
    assert [row.state for row in rows(ledger)] == ["skipped"]
    assert follow == [RunToStart("contact_changed", (CONTACT,), parameter="contact_ids")]


def test_a_replay_while_an_organisation_goes_live_keeps_nothing_in(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_tenant(ledger, sending="review")
    keep_invoice(ledger)
    keep_contact(ledger)
    with writing(ledger, NOW) as book:
        plans(book)
    others = beside(
        monkeypatch,
        "duebell.planning.replaying.compare",
        lambda: tenants.go_live(ledger, TENANT, "a person", release_held=True, now=NOW + A_MOMENT),
    )
    with writing(ledger, NOW + 2 * A_MOMENT) as book:
        replays(book)
    for one in others:
        one.join()
    assert [row.state for row in rows(ledger)] == ["planned"]
    assert len(dispatch.due(ledger, now=NOW + MINUTE)) == 1


def test_an_organisation_that_went_live_is_known_to_be_live_where_it_was_looked_at_before(
    ledger: Engine,
) -> None:
    if ledger.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    open_tenant(ledger, sending="review")
    with writing(ledger, NOW) as book:
        before = present.tenant(book.session, TENANT)
        assert before is not None
        assert before.sending == "review"
        tenants.go_live(ledger, TENANT, "a person", release_held=True, now=NOW)
        again = present.tenant(book.session, TENANT)
        assert again is not None
        assert again.sending == "live"


def test_a_payment_that_a_replay_and_a_drain_find_at_once_is_told_once(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_contact(ledger)
    keep_invoice(ledger)
    with writing(ledger, NOW) as book:
        replays(book)
    paid: dict[str, Any] = {"AmountPaid": 15, "AmountDue": 100, "Payments": [a_payment(1, 15, NOW.date())]}
    keep_invoice(ledger, invoice_body(updated_at=NOW + A_MOMENT, **paid), read_at=NOW + A_MOMENT)
    events = come(ledger, "INVOICE", INVOICE)
    with writing(ledger, NOW + A_MOMENT) as book:
        replays(book)
        other = meanwhile(lambda: drains(ledger, events))
    other.join()
    with reading(ledger) as session:
        assert session.exec(select(XeroEvent.state)).all() == ["handled"]
        assert len(session.exec(select(PaymentSnapshot)).all()) == 1
    assert [row.kind for row in rows(ledger)].count("payment_received") == 1


def test_a_drain_takes_its_invoices_in_the_order_in_which_others_take_them(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_contact(ledger)
    first, second = (keep_invoice(ledger, invoice_body(numbered(number))) for number in (1, 2))
    events = [*come(ledger, "INVOICE", second), *come(ledger, "INVOICE", first)]
    with writing(ledger, NOW) as book:
        snapshots.hold(book.session, TENANT, [first])
        other = meanwhile(lambda: drains(ledger, events))
        snapshots.hold(book.session, TENANT, [second])
    other.join()
    with reading(ledger) as session:
        assert session.exec(select(XeroEvent.state)).all() == ["handled", "handled"]


def test_a_run_that_is_cancelled_while_its_invoice_is_decided_on_stays_cancelled(ledger: Engine) -> None:
    if ledger.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    open_tenant(ledger)
    keep_invoice(ledger)
    keep_contact(ledger)
    with writing(ledger, NOW) as book:
        [planned] = plans(book)
    with writing(ledger, NOW) as book:
        asked = planning.ask(book, planning.Asked(TENANT, INVOICE_ISSUED, [INVOICE], begins=False), RULES)
        decided = planning.outlook(book.session, asked, RULES, NOW)
        taken = claim(ledger, planned.notification_id or 0)
        assert taken is not None
        hold_cancelled(resources_over(ledger), taken)
        policy = RULES.policy.for_tenant(TENANT)
        planning.write(book, decided.known, decided.prospects, policy, actor="drain", flow_run_id=None)
    assert [(row.state, row.reason) for row in rows(ledger)] == [("held", "run_cancelled")]


def test_two_senders_that_turn_holding_off_at_once_both_write_down_what_twilio_answered(
    ledger: Engine,
) -> None:
    open_tenant(ledger)
    for number in (1, 2):
        sent_off(ledger, number, f"a{number}")

    def second() -> None:
        with writing(ledger, NOW) as book:
            hold_switch.take_off(book, "it ignores the schedule")
            conclude(book, "a2", accepted(2))

    with writing(ledger, NOW) as book:
        hold_switch.take_off(book, "it ignores the schedule")
        conclude(book, "a1", accepted(1))
        other = meanwhile(second)
    other.join()
    assert the_attempt(ledger, "a2").sid is not None
    with reading(ledger) as session:
        assert hold_switch.is_off(session)


def test_a_receipt_that_comes_while_its_message_is_sent_again_leaves_the_further_one_out(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_tenant(ledger)
    keep_invoice(ledger)
    keep_contact(ledger)
    with writing(ledger, NOW) as book:
        [planned] = plans(book)
    taken = claim(ledger, planned.notification_id or 0)
    assert taken is not None
    begin(ledger, taken, "a1")
    concluded(ledger, UNKNOWN)
    concluded(ledger, PARKED)
    others: list[Thread] = []
    plan_resend = planning.plan_resend

    def planned_while_it_comes(book: Writing, *about: object, **named: object) -> Notification:
        coming = receipt("delivered", attempt_id="a1")
        others.append(meanwhile(lambda: keep_receipt(ledger, coming, now=NOW)))
        return plan_resend(book, *about, **named)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr("duebell.sending.resending.plan_resend", planned_while_it_comes)
    resend(resources_over(ledger), INVOICE, by="a person", why="nobody knew")
    for one in others:
        one.join()
    assert [row.state for row in rows(ledger)] == ["delivered", "skipped"]
    assert dispatch.due(ledger, now=NOW + MINUTE) == ()


def test_who_loses_to_another_that_waited_for_it_may_be_tried_again(postgres: Engine) -> None:
    engine = emptied(postgres)
    open_tenant(engine)
    first, second = (keep_invoice(engine, invoice_body(numbered(number))) for number in (1, 2))
    lost: list[BaseException] = []

    def takes(one: str, other: str, beside_it: Callable[[], object]) -> None:
        try:
            with tried_again(), writing(engine, NOW) as book:
                snapshots.hold(book.session, TENANT, [one])
                beside_it()
                snapshots.hold(book.session, TENANT, [other])
        except Transient as error:
            lost.append(error)

    others: list[Thread] = []
    takes(first, second, lambda: others.append(meanwhile(lambda: takes(second, first, lambda: None))))
    others[0].join()
    assert [str(one) for one in lost] == ["the ledger: " + BUSY]


def test_who_waited_too_long_for_another_may_be_tried_again(postgres: Engine) -> None:
    engine = emptied(postgres)
    open_tenant(engine)
    impatient = open_ledger(engine.url.render_as_string(hide_password=False), busy_seconds=0.1)
    with writing(engine, NOW) as book:
        volumes.take_turn(book, TENANT)
        with pytest.raises(Transient), tried_again(), writing(impatient, NOW) as late:
            volumes.take_turn(late, TENANT)
    impatient.dispose()


def test_what_fails_for_another_reason_is_not_tried_again(ledger: Engine) -> None:
    with pytest.raises(OperationalError), tried_again():
        raise OperationalError("UPDATE", None, Exception("database is locked"))
