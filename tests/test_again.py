"""What a person wants looked at, said or run again: only what is owed or named, and never by itself."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED, contact_recipient, dedup_key
from duebell.ledger import dispatch, inbox, notifications
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Owed
from duebell.ledger.tables import Audit, Notification
from duebell.ledger.writing import writing
from duebell.planning.contacts_in_step import bring_in_step
from duebell.planning.planning import plan_kind
from duebell.planning.replaying import Replayed, find, replay
from duebell.policy.verdict import Send
from duebell.resources import using
from duebell.sending.giving_back import hold_cancelled
from duebell.sending.resending import resend
from duebell.showing.explaining import explain
from duebell.showing.previewing import of_invoice
from duebell.states import NotificationState
from tasks.again import plan_resend
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
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
    resources_over,
)

S = NotificationState
NUMBER = "INV-21845"


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """An issued invoice of a customer."""
    open_tenant(ledger)
    keep_contact(ledger)
    keep_invoice(ledger)
    return ledger


def planned(engine: Engine, kind: str = INVOICE_ISSUED, *invoice_ids: str) -> list[Notification]:
    with writing(engine, NOW) as book:
        ids = list(invoice_ids or [INVOICE])
        return plan_kind(book, TENANT, kind, ids, RULES, actor="test", flow_run_id=None)


def told(engine: Engine, row: Notification, number: int = 1) -> None:
    claimed = claim(engine, row.notification_id or 0)
    assert claimed is not None
    assert begin(engine, claimed, f"a{number}") is not None
    conclude(engine, accepted(number), f"a{number}")


def standing(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        wanted = select(Notification.state, Notification.reason).order_by(col(Notification.notification_id))
        return list(session.exec(wanted).all())


def cancelled(engine: Engine) -> None:
    """Somebody cancels the run that was about to tell of the invoice."""
    [row] = planned(engine)
    claimed = claim(engine, row.notification_id or 0)
    assert claimed is not None
    hold_cancelled(resources_over(engine), claimed)


def test_what_a_cancelled_run_held_is_taken_up_by_no_other_run(books: Engine) -> None:
    cancelled(books)
    [row] = planned(books)
    with writing(books, NOW) as book:
        assert notifications.claim_all(book, [row], "a run that the net made") == []
    assert standing(books) == [(S.HELD, "run_cancelled")]
    assert dispatch.due(books, now=NOW + timedelta(days=9)) == ()


def test_what_a_cancelled_run_held_goes_out_once_a_person_runs_it_again(books: Engine) -> None:
    cancelled(books)
    with writing(books, NOW) as book:
        assert dispatch.wait_for_person(book.session, TENANT, INVOICE_ISSUED, [INVOICE])
        dispatch.run_again(book, TENANT, INVOICE_ISSUED, [INVOICE], "a run by hand")
        assert not dispatch.wait_for_person(book.session, TENANT, INVOICE_ISSUED, [INVOICE])
    [row] = planned(books)
    told(books, row)
    assert standing(books) == [(S.ACCEPTED, "")]
    assert broken(books) == []


def test_what_a_cancelled_run_held_is_left_out_once_it_is_untrue(books: Engine) -> None:
    cancelled(books)
    paid = invoice_body(Status="PAID", AmountDue=0, updated_at=NOW + MINUTE)
    keep_invoice(books, paid, read_at=NOW + MINUTE)
    planned(books)
    assert standing(books) == [(S.SKIPPED, "already_paid")]


def replayed(engine: Engine, *invoice_ids: str) -> Replayed:
    with writing(engine, NOW) as book:
        return replay(book, TENANT, invoice_ids, RULES, flow_run_id="a replay")


def test_a_replay_tells_what_is_owed_and_counts_what_was_told_before(books: Engine) -> None:
    told(books, planned(books)[0])
    keep_invoice(books, invoice_body(numbered(7)))
    payment = {"PaymentID": numbered(70), "Amount": 15, "Date": "/Date(1795132800000+0000)/"}
    keep_invoice(books, invoice_body(numbered(8), AmountPaid=15, AmountDue=100, Payments=[payment]))
    came = replayed(books, INVOICE, numbered(7), numbered(8))
    assert (came.invoices, came.owed, came.told_before) == (3, 3, 1)
    by_kind = {run.kind: set(run.record_ids) for run in came.runs}
    assert by_kind == {INVOICE_ISSUED: {numbered(7), numbered(8)}, PAYMENT_RECEIVED: {numbered(8)}}
    again = replayed(books, INVOICE, numbered(7), numbered(8))
    assert (again.owed, again.told_before) == (3, 1)
    assert len(standing(books)) == 4
    assert broken(books) == []


def found(engine: Engine, *named: str, since_minutes: int | None = None, until_minutes: int = 0) -> list[str]:
    since = None if since_minutes is None else NOW - since_minutes * MINUTE
    until = NOW - until_minutes * MINUTE if until_minutes else None
    with reading(engine) as session:
        return find(session, TENANT, named, since, until)


def test_invoices_to_replay_are_named_by_number_by_id_or_by_when_their_events_came(books: Engine) -> None:
    for minutes, number in ((50, 1), (30, 2), (10, 3)):
        event = NewEvent(TENANT, "INVOICE", numbered(number), "UPDATE", f"{number}", NOW)
        inbox.keep(books, [event], [], now=NOW - minutes * MINUTE)
    assert found(books, NUMBER, numbered(9)) == [INVOICE, numbered(9)]
    assert found(books, since_minutes=40) == [numbered(2), numbered(3)]
    assert found(books, since_minutes=60, until_minutes=20) == [numbered(1), numbered(2)]
    assert found(books, NUMBER, since_minutes=20) == [INVOICE, numbered(3)]


def test_a_supplier_s_bill_of_the_same_number_is_not_meant(books: Engine) -> None:
    keep_invoice(books, invoice_body(numbered(9), InvoiceNumber=NUMBER, Type="ACCPAY"))
    keep_invoice(books, invoice_body(numbered(10), InvoiceNumber="B-7", Type="ACCPAY"))
    resources = resources_over(books)
    assert found(books, NUMBER) == [INVOICE]
    assert found(books, "B-7", numbered(9)) == [numbered(10), numbered(9)]
    assert explain(resources, NUMBER).people == ()
    assert {one.invoices for one in of_invoice(resources, NUMBER)} == {(NUMBER,)}
    assert resend(resources, NUMBER, by="person:test", why="lost").invoice_id == INVOICE
    with pytest.raises(Permanent, match="no sales invoice"):
        resend(resources, "B-7", by="person:test", why="lost")


def test_a_number_of_two_sales_invoices_is_refused_with_the_mend(books: Engine) -> None:
    keep_invoice(books, invoice_body(numbered(9), InvoiceNumber=NUMBER))
    with pytest.raises(Permanent, match="give the id of one") as refused:
        found(books, NUMBER)
    assert all(one in str(refused.value) for one in (INVOICE, numbered(9)))


def test_a_period_without_a_zone_is_on_the_organisation_s_clock(books: Engine) -> None:
    event = NewEvent(TENANT, "INVOICE", numbered(1), "UPDATE", "a time", NOW)
    inbox.keep(books, [event], [], now=NOW)  # 14:16 in Auckland
    before, after = datetime.fromisoformat("2026-11-20T14:00:00"), datetime.fromisoformat("2026-11-20T15:00")

    def came(since: datetime, until: datetime | None = None) -> list[str]:
        with reading(books) as session:
            return find(session, TENANT, [], since, until)

    assert (came(before, after), came(after)) == ([numbered(1)], [])
    assert came(before, NOW + MINUTE) == [numbered(1)]
    with pytest.raises(Permanent, match="until must be later"):
        came(after, NOW)


def test_a_replay_of_nothing_or_of_the_unknown_is_refused_with_the_mend(books: Engine) -> None:
    with pytest.raises(Permanent, match="say what to replay"):
        found(books)
    with pytest.raises(Permanent, match=r"no invoice INV-404 is known: .* give its id"):
        found(books, "INV-404")
    with pytest.raises(Permanent, match="until must be later"):
        found(books, since_minutes=10, until_minutes=20)
    with pytest.raises(Permanent, match="say also since when"):
        found(books, NUMBER, until_minutes=20)


def reminded(engine: Engine, stage: str, number: int) -> None:
    """The customer was reminded at a stage of the ladder."""
    step, recipient = f"{stage}@2026-12-20", contact_recipient(CONTACT)
    key = dedup_key(TENANT, INVOICE_OVERDUE, INVOICE, recipient, step=step)
    owed = Owed(key, TENANT, INVOICE_OVERDUE, INVOICE, INVOICE, recipient, CONTACT, step)
    with writing(engine, NOW) as book:
        row = notifications.plan(book, owed, Send(MOBILE), actor="test", flow_run_id=None)
    told(engine, row, number)


def test_of_several_reminders_the_stage_says_which_to_send_again(books: Engine) -> None:
    for number, stage in enumerate(("first", "second"), start=1):
        reminded(books, stage, number)

    def again(stage: str = "") -> str:
        asked = {"by": "person:test", "why": "it was lost", "kind": INVOICE_OVERDUE, "stage": stage}
        return resend(resources_over(books), NUMBER, **asked).key

    with pytest.raises(Permanent, match=r"reminders: say which with --stage \(first@2026-12-20, second@"):
        again()
    assert f":{INVOICE}:second@2026-12-20:" in again("second")
    assert again("first@2026-12-20").endswith("#1")


def test_a_retry_of_the_run_that_asked_for_a_re_send_asks_for_no_second_one(books: Engine) -> None:
    told(books, planned(books)[0])

    def ask(run_id: str) -> str:
        return resend(resources_over(books), NUMBER, by="person:test", why="lost", run_id=run_id).key

    first = ask("run 1")
    with reading(books) as session:
        row = session.exec(select(Notification).where(Notification.key == first)).one()
    told(books, row, 2)
    assert ask("run 1") == first
    assert ask("run 2") == first.replace("#1", "#2")


@pytest.mark.parametrize(("by", "why"), [("person:test", " "), ("", "it was lost")])
def test_a_re_send_without_a_reason_or_an_author_is_refused(books: Engine, by: str, why: str) -> None:
    with pytest.raises(Permanent, match="say why"):
        resend(resources_over(books), NUMBER, by=by, why=why)


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_asking_in_vain_for_a_message_keeps_nobody_from_it_once_they_have_a_number(
    ledger: Engine, asked: int
) -> None:
    open_tenant(ledger)
    keep_contact(ledger, mobile="")
    keep_invoice(ledger)
    planned(ledger)
    for _ in range(asked):
        assert resend(resources_over(ledger), NUMBER, by="person:test", why="not told").state == S.SKIPPED
    keep_contact(ledger, read_at=NOW + MINUTE)
    with writing(ledger, NOW + MINUTE) as book:
        step = bring_in_step(book, TENANT, [CONTACT], RULES, flow_run_id=None)

    assert standing(ledger)[0] == (S.PLANNED, "")
    assert [run.record_ids for run in step.runs] == [(INVOICE,)]


def test_what_was_said_again_is_not_said_by_the_first_message_too(books: Engine) -> None:
    keep_contact(books, mobile="", read_at=NOW)
    planned(books)
    keep_contact(books, read_at=NOW + MINUTE)
    assert resend(resources_over(books), NUMBER, by="person:test", why="not told").state == S.PLANNED
    with reading(books) as session:
        again = session.exec(select(Notification).where(Notification.generation == 1)).one()
    told(books, again)
    with writing(books, NOW + MINUTE) as book:
        bring_in_step(book, TENANT, [CONTACT], RULES, flow_run_id=None)
    assert [state for state, _ in standing(books)] == [S.SKIPPED, S.ACCEPTED]


def test_who_wants_it_said_again_has_to_be_named_in_the_ui_too(books: Engine) -> None:
    with using(resources_over(books)), pytest.raises(Permanent, match="who wants it"):
        plan_resend.fn(NUMBER, INVOICE_ISSUED, None, None, "lost", "  ")
    assert standing(books) == []


def test_what_only_a_team_is_told_is_not_offered_to_be_said_again(books: Engine) -> None:
    with pytest.raises(Permanent, match="'needs_attention' is not said again: invoice_issued, "):
        resend(resources_over(books), NUMBER, by="person:test", why="lost", kind="needs_attention")
    assert standing(books) == []


def test_the_artifact_of_a_re_send_names_neither_who_wants_it_nor_why(
    books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, str] = {}

    def keep(**artifact: str) -> None:
        kept.update(artifact)

    monkeypatch.setattr("tasks.again.create_markdown_artifact", keep)
    told(books, planned(books)[0])
    with using(resources_over(books)):
        asked = plan_resend.fn(NUMBER, INVOICE_ISSUED, None, None, "Ana Rimu never got it", "Bo Smith")
    assert asked.state == S.PLANNED
    assert asked.key in kept["markdown"]
    assert [word for word in ("Ana", "Bo", "never") if word in " ".join(kept.values())] == []
    with reading(books) as session:
        entry = session.exec(select(Audit).where(Audit.action == "re-send asked for")).one()
    assert (entry.actor, "Ana Rimu never got it" in entry.details) == ("person:Bo Smith", True)
