"""One tenant's poll: all that changed comes into the inbox, once, and the cursors are Xero's own times."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.calls import Purpose
from duebell.books.polling import Chosen, Due, Polled, choose, ending
from duebell.books.polling_seek import OVERLAP, ListNotFiltered
from duebell.books.reading import XeroReader
from duebell.errors import ConfigurationError, TenantDisconnected, Transient
from duebell.ledger import inbox, polls, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.tables import Audit, XeroCall
from duebell.ledger.writing import writing
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    NOW,
    OTHER_CONTACT,
    OTHER_TENANT,
    TENANT,
    counted,
    numbered,
    open_tenant,
)
from tests.support_lists import SCOPES, WATCHED_FROM, Polling

PAYMENT = "eeeeeeee-2222-4333-8444-555555555555"
BY_LIST, BY_PAYMENT = ("INVOICE", INVOICE, "poll"), ("INVOICE", INVOICE, "poll_payments")
HOUR = timedelta(hours=1)


@pytest.fixture
def books(ledger: Engine) -> Polling:
    return Polling(ledger)


def handle_all(books: Polling) -> None:
    """What a drain does of it: what was read is what changes were derived from, and the events are closed."""
    events = inbox.claim(books.engine, TENANT, now=books.clock.now, most=999)
    with writing(books.engine, books.clock.now) as book:
        for event in events:
            kept = snapshots.read_invoices(book.session, TENANT, [event.resource_id])
            for invoice_id, one in kept.items():
                snapshots.mark_compared(book.session, TENANT, invoice_id, one.body)
            inbox.finish(book, event, "handled")


def test_the_first_poll_begins_when_the_tenant_was_connected_and_finds_what_no_webhook_told(
    books: Polling,
) -> None:
    books.xero.invoice(numbered(1), updated=WATCHED_FROM - HOUR)
    books.xero.invoice()
    books.xero.contact()
    polled = books.poll()
    assert polled == Polled(TENANT, found=2)
    assert books.inbox() == [BY_LIST, ("CONTACT", CONTACT, "poll_untold")]
    asked = books.xero.calls("Invoices")[0].headers["if-modified-since"]
    assert asked == f"{WATCHED_FROM - OVERLAP:%Y-%m-%dT%H:%M:%S}"


def test_what_was_found_is_found_once_however_often_it_is_polled(books: Polling) -> None:
    books.xero.invoice()
    books.poll()
    assert [books.poll(minutes=1).found for _ in range(3)] == [0, 0, 0]
    handle_all(books)
    assert books.poll(minutes=1).found == 0
    assert len(books.inbox()) == 1


def test_what_polling_read_needs_no_second_read_by_those_who_handle_it(books: Polling) -> None:
    books.xero.invoice()
    books.xero.contact()
    books.poll()
    (invoice, *_) = inbox.claim(books.engine, TENANT, now=NOW, most=9)
    kept = snapshots.invoices(books.engine, TENANT, [INVOICE])[INVOICE]
    assert kept.read_at >= invoice.received_at
    assert set(snapshots.contacts(books.engine, TENANT, [CONTACT])) == {CONTACT}


def test_a_change_that_a_webhook_brought_and_that_was_handled_makes_no_row(books: Polling) -> None:
    books.xero.invoice()
    webhook = NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "a time", NOW)
    inbox.keep(books.engine, [webhook], [], now=NOW)
    access = books.access(TENANT, Purpose.EVENTS)
    records = access.ask(lambda: access.client.invoice(INVOICE))
    pairs = [(record.value, record.body) for record in records.good]
    snapshots.save_invoices(books.engine, TENANT, pairs, read_at=NOW)
    handle_all(books)
    assert books.poll(minutes=1).found == 0
    assert books.inbox() == [("INVOICE", INVOICE, "webhook")]


def test_a_state_that_comes_again_after_another_was_handled_is_news_again(books: Polling) -> None:
    books.xero.invoice(DueDateString="2026-12-20T00:00:00")
    for day in ("20", "21", "20", "21"):
        books.xero.invoice(DueDateString=f"2026-12-{day}T00:00:00", updated=NOW)
        assert books.poll(minutes=1).found == 1
        handle_all(books)


def test_bills_are_kept_and_no_event(books: Polling) -> None:
    books.xero.invoice(Type="ACCPAY")
    assert books.poll().found == 0
    assert set(snapshots.invoices(books.engine, TENANT, [INVOICE])) == {INVOICE}


def test_f041_the_cursor_is_xero_s_time_whatever_our_clock_says(books: Polling) -> None:
    books.xero.ahead = -timedelta(minutes=10)
    books.xero.invoice()
    books.poll()
    assert books.tenant().invoices_cursor == NOW - timedelta(minutes=10)
    books.clock.now -= HOUR  # our clock jumps back, which is noticed; Xero's goes on
    books.xero.ahead += HOUR + MINUTE
    books.xero.invoice(numbered(2))
    with pytest.raises(ConfigurationError, match="behind Xero's"):
        books.poll()
    assert books.tenant().invoices_cursor == NOW - timedelta(minutes=10)
    books.clock.now += HOUR - 20 * MINUTE
    books.xero.ahead -= HOUR - 20 * MINUTE
    assert books.poll().found == 1
    assert books.tenant().invoices_cursor == NOW - timedelta(minutes=9)


def test_f041_a_clock_of_ours_that_runs_ahead_hides_no_change(books: Polling) -> None:
    books.poll()
    books.clock.now += 14 * MINUTE
    books.xero.ahead -= 14 * MINUTE
    books.xero.invoice()
    assert books.poll().found == 1


def test_f040_a_change_that_appears_late_with_an_earlier_time_is_met_by_the_overlap(books: Polling) -> None:
    books.poll()
    books.xero.invoice(updated=NOW - 9 * MINUTE)
    assert books.poll(minutes=1).found == 1


def test_the_cursor_of_a_list_whose_end_was_not_reached_stays_and_what_was_read_stays_too(
    books: Polling,
) -> None:
    books.xero.largest = 20
    books.poll()
    for number in range(30):
        books.xero.invoice(numbered(number), updated=NOW + timedelta(seconds=number))
    before, asked = books.tenant().invoices_cursor, len(books.xero.asked)

    def away(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(503) if len(books.xero.calls("Invoices", asked)) > 1 else None

    books.xero.instead = away
    with pytest.raises(Transient):
        books.poll(minutes=30)
    assert books.tenant().invoices_cursor == before
    assert len(books.inbox()) == 20

    books.xero.instead = lambda _request: None
    assert books.poll().found == 10
    assert books.tenant().invoices_cursor == books.clock.now


def test_f039_an_invoice_that_is_edited_while_the_pages_are_read_hides_none(books: Polling) -> None:
    books.xero.largest = 20
    for number in range(30):
        books.xero.invoice(numbered(number), updated=NOW)

    def edit(request: httpx.Request) -> httpx.Response | None:
        if len(books.xero.calls("Invoices")) == 2:
            books.clock.now += MINUTE
            books.xero.invoice(numbered(0), Reference="edited")
        return None

    books.xero.instead = edit
    books.poll()
    assert {invoice_id for _, invoice_id, _ in books.inbox()} == {numbered(one) for one in range(30)}


def test_nothing_new_is_said_by_304_and_moves_the_cursor_by_the_header(books: Polling) -> None:
    def unchanged(request: httpx.Request) -> httpx.Response | None:
        if "if-modified-since" not in request.headers:
            return None
        return httpx.Response(304, headers={"Date": "Fri, 20 Nov 2026 01:02:00 GMT"})

    books.xero.instead = unchanged
    assert books.poll() == Polled(TENANT, found=0)
    assert books.tenant().invoices_cursor == NOW - timedelta(minutes=14)


def test_a_server_that_ignores_the_time_asked_for_is_reported_and_believed_nothing(books: Polling) -> None:
    books.xero.invoice(updated=NOW - 900 * HOUR)

    def unfiltered(request: httpx.Request) -> httpx.Response | None:
        request.headers.pop("if-modified-since", None)
        return None

    books.xero.instead = unfiltered
    with pytest.raises(ListNotFiltered):
        books.poll()
    assert (len(books.xero.asked), books.inbox(), books.tenant().invoices_cursor) == (1, [], None)


def test_a_payment_tells_of_its_invoice_unless_the_invoice_reflects_it(books: Polling) -> None:
    books.xero.invoice()
    books.poll()
    handle_all(books)
    books.xero.payment(PAYMENT)  # the invoice's own time does not move
    assert books.poll(minutes=20).found == 1
    assert books.inbox() == [BY_LIST, BY_PAYMENT]
    assert books.poll(minutes=1).found == 0

    books.xero.invoice(Payments=[{"PaymentID": PAYMENT, "Amount": 15}])
    assert books.poll(minutes=1).found == 1
    handle_all(books)
    books.xero.payment(PAYMENT, Status="DELETED")
    assert books.poll(minutes=20).found == 1
    assert books.inbox() == [BY_LIST, BY_PAYMENT, BY_LIST, BY_PAYMENT]


def test_an_invoice_found_with_its_payment_is_told_of_once(books: Polling) -> None:
    books.xero.invoice(Payments=[{"PaymentID": PAYMENT, "Amount": 15}])
    books.xero.payment(PAYMENT)
    assert books.poll().found == 1


def test_a_payment_entered_while_the_lists_are_read_has_its_invoice_read_again(books: Polling) -> None:
    books.xero.invoice()
    books.poll()
    handle_all(books)

    def paid_meanwhile(request: httpx.Request) -> None:
        books.clock.now += MINUTE
        if request.url.path.endswith("/Payments"):
            books.xero.payment(PAYMENT)  # the invoice's own time does not move

    books.xero.instead = paid_meanwhile
    books.poll(minutes=9)
    (event,) = inbox.claim(books.engine, TENANT, now=books.clock.now, most=9)
    reader = XeroReader(books.access(TENANT, Purpose.EVENTS))
    assert reader.stale([INVOICE], event.received_at) == [INVOICE]


def test_a_refund_s_overpayment_is_taken_for_no_invoice(books: Polling) -> None:
    books.xero.payment(PAYMENT, OTHER_CONTACT, PaymentType="AROVERPAYMENTPAYMENT")
    books.xero.payment(numbered(3), OTHER_CONTACT, PaymentType="ACCPAYPAYMENT")
    assert books.poll().found == 0


def notes(engine: Engine) -> int:
    with reading(engine) as session:
        return len(session.exec(select(Audit).where(Audit.action == polls.LACKS_PAYMENTS)).all())


def test_a_consent_without_payments_costs_no_call_and_is_noted_once(ledger: Engine) -> None:
    books = Polling(ledger, scopes=SCOPES[:2])
    books.xero.invoice()
    assert books.poll() == Polled(TENANT, found=1, lacks_payments=True)
    assert books.poll(minutes=1).lacks_payments
    assert (books.xero.calls("Payments"), notes(ledger)) == ([], 1)


def test_a_refusal_by_xero_is_noted_once_and_the_other_lists_are_read_on(ledger: Engine) -> None:
    books = Polling(ledger, scopes=())
    books.xero.contact()

    def refuse(request: httpx.Request) -> httpx.Response | None:
        body = {"Title": "Unauthorized", "Detail": "AuthorizationUnsuccessful"}
        return httpx.Response(401, json=body) if request.url.path.endswith("/Payments") else None

    books.xero.instead = refuse
    assert books.poll() == Polled(TENANT, found=1, lacks_payments=True)
    assert books.poll(minutes=1).lacks_payments
    assert (len(books.xero.calls("Payments")), notes(ledger)) == (1, 1)
    assert books.tenant().contacts_cursor is not None


def test_a_contact_is_news_when_it_changes_and_when_nobody_was_told_of_it(books: Polling) -> None:
    books.xero.contact()
    books.poll()
    handle_all(books)
    assert books.poll(minutes=1).found == 0
    books.xero.contact(EmailAddress="new@example.com")
    assert books.poll(minutes=1).found == 1
    handle_all(books)
    books.clock.now += 20 * MINUTE
    books.xero.contact(EmailAddress="newer@example.com")
    webhook = NewEvent(TENANT, "CONTACT", CONTACT, "UPDATE", "a time", books.clock.now)
    access = books.access(TENANT, Purpose.EVENTS)
    XeroReader(access).contacts([CONTACT], since=books.clock.now)  # a message's own look
    assert books.poll(minutes=1).found == 1
    inbox.keep(books.engine, [webhook], [], now=books.clock.now)
    assert books.poll(minutes=1).found == 0
    assert [found_by for _, _, found_by in books.inbox()] == ["poll", "poll", "poll_untold", "webhook"]


def test_f043_a_payment_that_the_invoice_does_not_show_yet_is_found_when_it_does(books: Polling) -> None:
    books.xero.invoice()
    books.poll()
    handle_all(books)
    books.xero.payment(PAYMENT)
    books.poll(minutes=20)
    handle_all(books)  # the invoice still says unpaid
    books.xero.invoice(AmountPaid=15, Payments=[{"PaymentID": PAYMENT, "Amount": 15}])
    assert books.poll(minutes=15).found == 1


def refusing(status: int, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, headers=headers, json={})


def test_f027_a_used_up_day_ends_the_poll_early_and_the_next_goes_on_from_the_same_place(
    books: Polling,
) -> None:
    books.xero.instead = refusing(429, **{"X-Rate-Limit-Problem": "day", "Retry-After": "3600"})
    put_off = books.poll().put_off
    assert "parked until" in put_off
    assert choose(books.resources, [TENANT]).due == ()
    books.xero.instead = lambda _request: None
    books.xero.invoice()
    assert books.poll(minutes=61).found == 1


def test_f035_a_closed_organisation_fails_by_itself_and_is_not_polled_again(books: Polling) -> None:
    books.xero.instead = refusing(403)
    books.xero.connected.clear()
    for _ in range(2):
        with pytest.raises(TenantDisconnected):
            books.poll()
    assert choose(books.resources, None) == Chosen((), closed=(TENANT,)), "whoever found it, it is seen once"
    assert choose(books.resources, None) == Chosen(())
    assert choose(books.resources, [TENANT]).left_out == ((TENANT, "it is not connected"),)


def test_only_one_run_polls_a_tenant_and_only_when_it_is_due(books: Polling) -> None:
    open_tenant(books.engine, OTHER_TENANT)
    now = books.clock.now
    assert choose(books.resources, None) == Chosen((Due(TENANT, now), Due(OTHER_TENANT, now)))
    assert choose(books.resources, None) == Chosen(())
    assert choose(books.resources, [TENANT]) == Chosen((Due(TENANT, now),))
    seen = books.tenant()
    books.clock.now += MINUTE
    assert polls.begin(books.engine, seen, now=books.clock.now)
    assert not polls.begin(books.engine, seen, now=books.clock.now)


def test_calls_are_counted_as_polling(books: Polling) -> None:
    books.poll()
    with reading(books.engine) as session:
        rows = session.exec(select(XeroCall)).all()
    assert {(row.endpoint, row.purpose, row.calls) for row in rows} == {
        ("Invoices", "poll", 1),
        ("Payments", "poll", 1),
        ("Contacts", "poll", 1),
        ("CreditNotes", "poll", 1),
        ("Prepayments", "poll", 1),
        ("Overpayments", "poll", 1),
    }


def test_two_polls_that_overlap_never_move_a_cursor_back(ledger: Engine) -> None:
    books = Polling(ledger)
    for minutes in (5, 3):
        polls.move_cursor(ledger, TENANT, polls.Cursor.INVOICES, NOW + minutes * MINUTE, now=books.clock.now)
    assert books.tenant().invoices_cursor == NOW + 5 * MINUTE


def test_a_record_that_cannot_be_read_is_named_and_holds_up_no_other(books: Polling) -> None:
    books.xero.invoice(numbered(1), Total="much")
    books.xero.invoice()
    polled = books.poll()
    assert (polled.found, polled.bad) == (1, ((numbered(1), "Invoice.Total is not an amount"),))
    assert counted(books.engine, Audit) > 0


def test_the_run_s_ending_names_ids_counts_and_reasons() -> None:
    assert ending([], 0, Chosen(())) == ("Nothing to poll", "no organisation is due")
    assert ending([Polled("a", 0)], 0, Chosen(())) == ("Nothing new", "1 polled")
    assert ending([Polled("a", 2)], 0, Chosen(())) == ("2 found", "1 polled; a: 2 found")
    assert ending([Polled("a", 2), Polled("b", 1, put_off="parked")], 1, Chosen(())) == (
        "1 failed",
        "2 polled; a: 2 found; b: 1 found; b ended early: parked; 1 failed: see their tasks",
    )
    left_out = Chosen((), (("c", "it is not connected"),))
    assert ending([], 0, left_out)[1] == "c is not polled: it is not connected"
    bad = Polled("a", 0, bad=(("x", "y"),))
    assert ending([bad], 0, Chosen(()))[1] == "1 polled; a: 1 records could not be read"
    assert ending([Polled("a", 2)], 0, Chosen((), closed=("d",))) == (
        "Not connected",
        "1 polled; a: 2 found; tenant d was disconnected: run `duebell connect`; its events wait",
    )
