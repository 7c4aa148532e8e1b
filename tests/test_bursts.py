"""Many invoices at once: few calls, and never a message about what was not looked at within the minute."""

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.server import running_sandbox
from duebell.books.bursts import is_cheaper_by_list
from duebell.connecting.connecting import connect_custom
from duebell.errors import Transient
from duebell.ledger import freshness, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Notification, XeroEvent
from duebell.resources import open_resources
from duebell.settings import load
from duebell.states import NotificationState
from tests.support_desk import Calls, Desk
from tests.support_office import environment_of

LIMITS = SandboxSettings(minute_limit=60, day_limit=1_000, concurrent_limit=5)


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox(LIMITS) as control:
        yield control


@pytest.fixture
def desk(sandbox: SandboxControl, ledger: Engine, tmp_path: Path) -> Generator[Desk]:
    sandbox.reset()
    url = ledger.url.render_as_string(hide_password=False)
    resources = open_resources(load(environment_of(tmp_path, url, sandbox.base_url), env_file=None))
    connect_custom(resources, lambda _tenant_id: nullcontext, nullcontext)
    yield Desk(sandbox, resources)
    resources.close()


@pytest.mark.parametrize(
    ("wanted", "changed", "by_list"),
    [
        (50, 0, False),
        (51, 0, True),
        (60, 950, False),
        (101, 950, True),
        (300, 10_000, False),
        (5_000, 6_000, True),
    ],
)
def test_a_list_is_read_where_it_takes_fewer_calls(wanted: int, changed: int, by_list: bool) -> None:  # noqa: FBT001 - a case of the table
    assert is_cheaper_by_list(wanted, changed) is by_list


@pytest.mark.parametrize(
    ("count", "contacts", "calls"),
    [
        (1, 1, {"Invoices": 1}),
        (40, 1, {"Invoices": 1, "Contacts": 1}),
        (50, 50, {"Invoices": 1, "Contacts": 1}),
        (120, 120, {"Invoices": 1, "Contacts": 1}),
    ],
)
def test_a_burst_of_events_is_read_in_as_few_calls_as_can_be(
    desk: Desk, count: int, contacts: int, calls: dict[str, int]
) -> None:
    books = desk.approve(count, contacts)
    made = Calls(desk)
    desk.drain()
    assert made.made() == calls
    assert [desk.kept(one).invoice.number for one in books.ids[:2]] == ["BURST-0000", "BURST-0001"][:count]
    assert desk.oldest_read(list(books.ids)) < timedelta(minutes=1)
    assert len(snapshots.contacts(desk.resources.engine, TENANT_ID, books.contact_ids)) == contacts


def test_contacts_that_an_earlier_drain_did_not_get_to_are_read_though_the_invoices_are_fresh(
    desk: Desk,
) -> None:
    books = desk.approve(30, 30)
    desk.sandbox.fail_next("status", path="/api.xro/2.0/Contacts", status=503, times=2)
    with pytest.raises(Transient):
        desk.drain()
    with desk.resources.engine.begin() as connection:
        connection.execute(update(XeroEvent).values(retry_at=desk.now()))
    made = Calls(desk)
    desk.drain()
    assert made.made() == {"Contacts": 1}
    assert len(snapshots.contacts(desk.resources.engine, TENANT_ID, books.contact_ids)) == 30


def test_one_list_serves_the_events_that_nobody_has_taken_yet(desk: Desk) -> None:
    desk.approve(260)
    made = Calls(desk)
    assert desk.drain().read == 260
    assert desk.drain().fresh == 60
    assert made.made() == {"Invoices": 1, "Contacts": 1}


def test_an_event_that_comes_after_the_list_has_its_invoice_read_again(desk: Desk) -> None:
    books = desk.approve(60)
    desk.drain()
    desk.sandbox.pay(books.ids[0])
    desk.ring(books.ids[0])
    desk.drain()
    assert desk.kept(books.ids[0]).invoice.amount_due == 0


def test_an_invoice_of_an_event_that_no_list_shows_is_read_by_its_id(desk: Desk) -> None:
    books = desk.approve(60)
    old = json.loads(books.invoices)
    old[0]["UpdatedDateUTC"] = "/Date(1539993600000+0000)/"
    desk.sandbox.load_books(json.dumps(old), books.contacts)
    made = Calls(desk)
    desk.drain()
    assert made.made()["Invoices"] == 2
    assert desk.kept(books.ids[0]).invoice.number == "BURST-0000"


def test_a_filter_that_xero_ignores_costs_calls_and_no_event(desk: Desk) -> None:
    # The books go back years: a list of everything is not in the order and of the time that was asked for.
    books = desk.approve(60)
    desk.age()
    long_ago = (
        '{"Invoices":[{"InvoiceID":"11111111-2222-4333-8444-555555555555","UpdatedDateUTC":"/Date(1)/"}]}'
    )
    desk.sandbox.fail_next("status", path="/api.xro/2.0/Invoices", status=200, body=long_ago)
    desk.drain()
    assert desk.oldest_read(list(books.ids)) < timedelta(minutes=1)


def test_forty_runs_that_look_again_cost_one_call(desk: Desk) -> None:
    ids = desk.owe(desk.approve(120))
    desk.drain()
    desk.age()
    made = Calls(desk)
    runs = [ids[start : start + 3] for start in range(0, 120, 3)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(desk.look_again, runs))
    assert made.made() == {"Invoices": 1}
    assert desk.oldest_read(ids) < timedelta(minutes=1)


def test_what_twilio_holds_is_looked_at_again_at_the_cost_of_one_call_however_many_there_are(
    desk: Desk,
) -> None:
    ids = list(desk.approve(120).ids)
    desk.drain()
    desk.hold(ids)
    desk.age()
    made = Calls(desk)
    for start in range(0, 120, 50):
        desk.look_again(ids[start : start + 50])
    assert made.made() == {"Invoices": 1}
    assert desk.oldest_read(ids) < timedelta(minutes=1)


def test_a_few_invoices_of_several_runs_are_read_by_their_ids_in_one_call(desk: Desk) -> None:
    ids = desk.owe(desk.approve(30))
    desk.drain()
    desk.age()
    made = Calls(desk)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(desk.look_again, [ids[start : start + 5] for start in range(0, 30, 5)]))
    assert made.made() == {"Invoices": 1}
    assert desk.oldest_read(ids) < timedelta(minutes=1)


def test_what_changed_since_is_seen_and_what_did_not_is_known_to_stand(desk: Desk) -> None:
    books = desk.approve(80)
    ids = desk.owe(books)
    desk.drain()
    desk.age(timedelta(hours=2))
    desk.sandbox.shift_clock(3 * 3600)
    paid, void = books.ids[3], books.ids[4]
    desk.sandbox.pay(paid)
    desk.sandbox.void(void)
    desk.sandbox.shift_clock(-3 * 3600)
    desk.look_again(ids[:3])
    assert desk.kept(paid).invoice.amount_due == 0
    assert desk.kept(void).invoice.status == "voided"
    assert desk.oldest_read(ids) < timedelta(minutes=1)


@pytest.mark.parametrize("count", [40, 60])
def test_a_number_that_changed_hours_ago_unheard_is_known_before_it_is_written_to_however_many_wait(
    desk: Desk, count: int
) -> None:
    books, ids = desk.owe_of_old(count)
    changed, *others = json.loads(books.contacts)
    changed["Phones"] = [{"PhoneType": "MOBILE", "PhoneCountryCode": "64", "PhoneNumber": "217770000"}]
    desk.sandbox.load_books(books.invoices, json.dumps([changed, *others]))
    made = Calls(desk)
    for start in range(0, count, 20):
        desk.look_again(ids[start : start + 20])
    assert made.made() == {"Invoices": 1, "Contacts": 1}
    known = snapshots.contacts(desk.resources.engine, TENANT_ID, [changed["ContactID"]])
    assert [one.number for one in known[changed["ContactID"]].contact.phones] == ["217770000"]


@pytest.mark.parametrize("count", [40, 60])
def test_while_contacts_cannot_be_read_nobody_is_written_to_as_they_were_known_hours_ago(
    desk: Desk, count: int
) -> None:
    books, ids = desk.owe_of_old(count)
    # Those that all wait for, and the own ones: each is asked for once more.
    desk.sandbox.fail_next("status", path="/api.xro/2.0/Contacts", status=503, times=4)
    with pytest.raises(Transient):
        desk.look_again(ids[:20])
    desk.look_again(ids[:20])
    assert desk.oldest_contact(books) < timedelta(minutes=1)


def test_part_paid_invoices_are_never_taken_for_unchanged_because_the_list_is_blind_there(desk: Desk) -> None:
    books = desk.approve(80, ago=timedelta(days=1))
    served = json.loads(books.invoices)
    served[0] |= {"AmountPaid": 15.0, "AmountDue": 100.0}
    desk.sandbox.load_books(json.dumps(served), books.contacts)
    ids = desk.owe(books)
    desk.drain()
    desk.age()
    served[0] |= {"DueDateString": "2031-01-31T00:00:00"}  # and UpdatedDateUTC stays as it was
    desk.sandbox.load_books(json.dumps(served), books.contacts)
    made = Calls(desk)
    desk.look_again(ids[1:3])
    assert made.made() == {"Invoices": 1}
    assert desk.oldest_read(ids[1:]) < timedelta(minutes=1)
    desk.look_again(ids[:1])
    assert made.made() == {"Invoices": 2}
    assert desk.kept(ids[0]).invoice.due_on == date(2031, 1, 31)


def test_a_server_whose_clock_is_far_behind_ours_is_asked_by_ids(desk: Desk) -> None:
    desk.clock_ahead = timedelta(minutes=8)
    ids = desk.owe(desk.approve(80))
    desk.drain()
    desk.sandbox.pay(ids[7])  # by Xero's clock before we last read, by ours since
    desk.clock_ahead = timedelta(minutes=13)
    desk.look_again(ids[:25])
    assert desk.kept(ids[7]).invoice.amount_due == 0
    assert desk.oldest_read(ids[:25]) < timedelta(minutes=1)
    assert desk.oldest_read(ids[25:]) > timedelta(minutes=4)


def test_what_somebody_else_read_meanwhile_is_not_confirmed_by_an_older_list(desk: Desk) -> None:
    ids = list(desk.approve(3).ids)
    desk.drain()
    seen = freshness.read_times(desk.resources.engine, TENANT_ID, ids)
    later = max(seen.values()) + timedelta(minutes=1)
    stale = seen | {ids[0]: seen[ids[0]] - timedelta(seconds=1)}
    assert freshness.confirm(desk.resources.engine, TENANT_ID, stale, read_at=later) == 2
    assert freshness.read_times(desk.resources.engine, TENANT_ID, ids) == {
        ids[0]: seen[ids[0]], ids[1]: later, ids[2]: later,
    }  # fmt: skip


def test_a_run_of_its_own_reads_alone_and_pays_for_nobody_else(desk: Desk) -> None:
    ids = desk.owe(desk.approve(2))
    with desk.resources.engine.begin() as connection:
        connection.execute(
            update(Notification)
            .where(col(Notification.subject_id) == ids[1])
            .values(state=NotificationState.SKIPPED.value)
        )
    desk.drain()
    desk.age()
    made = Calls(desk)
    desk.look_again(ids[:1])
    assert made.made() == {"Invoices": 1}
    with reading(desk.resources.engine) as session:
        ages = dict(session.exec(select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.read_at)).all())
    assert desk.now() - ages[ids[1]] > timedelta(minutes=4)
