"""A contact changed: nobody is told of it, and what waits for the contact follows it."""

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.reading import Reading
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import inbox, preferences
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Leg, Notification, XeroEvent
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.contacts_in_step import InStep, bring_in_step, hand_over
from duebell.planning.draining import RunToStart
from duebell.planning.planning import plan_kind
from duebell.states import NotificationState
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    RULES,
    TENANT,
    accepted,
    begin,
    claim,
    conclude,
    keep_contact,
    keep_invoice,
    open_tenant,
)

S = NotificationState
READ = Reading(0, 1)


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """A tenant with one issued invoice of one customer."""
    open_tenant(ledger)
    keep_invoice(ledger)
    keep_contact(ledger)
    return ledger


def issued(engine: Engine) -> None:
    with writing(engine, NOW) as book:
        plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)


def changed(engine: Engine, *contact_ids: str, minute: int = 1, read: Reading = READ) -> list[RunToStart]:
    """Events of these contacts come, and a drain has read them."""
    now = NOW + minute * MINUTE
    new = [NewEvent(TENANT, "CONTACT", one, "UPDATE", now.isoformat(), now) for one in contact_ids]
    inbox.keep(engine, new, [], now=now)
    claimed = inbox.claim(engine, TENANT, now=now, most=100)
    with writing(engine, now) as book:
        runs = hand_over(book, TENANT, claimed, read)
    with writing(engine, now) as book:
        return draining.record_changes(book, TENANT, claimed, read, RULES, flow_run_id=None) + runs


def in_step(engine: Engine, *contact_ids: str, minute: int = 1) -> InStep:
    with writing(engine, NOW + minute * MINUTE) as book:
        return bring_in_step(book, TENANT, contact_ids, RULES, flow_run_id=None)


def now_reads(engine: Engine, contact_id: str = CONTACT, minute: int = 1, **fields: Any) -> None:
    keep_contact(engine, contact_id, read_at=NOW + minute * MINUTE, **fields)


def the_only(engine: Engine) -> Notification:
    with reading(engine) as session:
        return session.exec(select(Notification)).one()


def events(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return list(session.exec(select(XeroEvent.state, XeroEvent.outcome).order_by("event_id")).all())


def test_the_event_of_a_contact_that_nothing_waits_for_is_closed_by_the_drain(books: Engine) -> None:
    assert changed(books, CONTACT) == []
    assert events(books) == [("handled", "contact read anew; nothing waits for it")]


def test_a_contact_that_something_waits_for_gets_a_run_and_its_event_stays_open_until_that_ends(
    books: Engine,
) -> None:
    issued(books)
    assert changed(books, CONTACT) == [RunToStart("contact_changed", (CONTACT,), parameter="contact_ids")]
    assert [state for state, _ in events(books)] == ["pending"]
    now_reads(books)
    in_step(books, CONTACT)
    assert events(books) == [("handled", "brought in step")]


def test_a_lost_run_is_made_again(books: Engine) -> None:
    issued(books)
    changed(books, CONTACT)
    assert inbox.claim(books, TENANT, now=NOW + 5 * MINUTE, most=10) == ()
    claimed = inbox.claim(books, TENANT, now=NOW + 12 * MINUTE, most=10)
    with writing(books, NOW + 12 * MINUTE) as book:
        assert len(hand_over(book, TENANT, claimed, READ)) == 1


def test_an_event_that_came_after_the_contact_was_read_is_not_closed(books: Engine) -> None:
    issued(books)
    now_reads(books, minute=1)
    changed(books, CONTACT, minute=2)
    in_step(books, CONTACT, minute=3)
    assert [state for state, _ in events(books)] == ["pending"]


def test_a_contact_that_could_not_be_read_is_tried_again(books: Engine) -> None:
    issued(books)
    assert changed(books, CONTACT, read=Reading(0, 0, missing=(CONTACT,))) == []
    assert events(books) == [("pending", "Xero knows no such record")]


def test_a_new_number_is_used_by_what_waits(books: Engine) -> None:
    issued(books)
    now_reads(books, mobile=OTHER_MOBILE)
    assert in_step(books, CONTACT).decided == 1
    with reading(books) as session:
        assert session.exec(select(Leg.address)).one() == OTHER_MOBILE


def test_an_archived_contact_silences_what_waits(books: Engine) -> None:
    issued(books)
    for status in ("ARCHIVED", "GDPRREQUEST"):
        now_reads(books, ContactStatus=status)
        assert in_step(books, CONTACT).runs == ()
        assert (the_only(books).state, the_only(books).reason) == (S.SKIPPED, "contact_closed")


def test_what_was_left_out_for_want_of_a_number_is_told_once_there_is_one(books: Engine) -> None:
    now_reads(books, minute=0, Phones=[])
    issued(books)
    assert the_only(books).state == S.SKIPPED
    now_reads(books)
    [run] = in_step(books, CONTACT).runs
    assert (run.kind, run.record_ids, the_only(books).state) == (INVOICE_ISSUED, (INVOICE,), S.PLANNED)
    assert broken(books) == []


def test_a_number_that_turned_out_unusable_counts_only_until_it_is_changed(books: Engine) -> None:
    with writing(books, NOW) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.INVALID, "twilio:21211")
    issued(books)
    assert the_only(books).reason == "number_invalid"
    now_reads(books, mobile=OTHER_MOBILE)
    in_step(books, CONTACT)
    assert the_only(books).state == S.PLANNED


def test_what_was_left_out_long_ago_stays_so(books: Engine) -> None:
    now_reads(books, minute=0, Phones=[])
    issued(books)
    long_after = 31 * 24 * 60
    now_reads(books, minute=long_after)
    assert in_step(books, CONTACT, minute=long_after) == InStep(0, ())


def test_what_was_told_is_not_told_again_to_a_new_number(books: Engine) -> None:
    issued(books)
    taken = claim(books, the_only(books).notification_id or 0)
    assert taken
    assert begin(books, taken)
    conclude(books, accepted())
    now_reads(books, mobile=OTHER_MOBILE)
    assert in_step(books, CONTACT) == InStep(0, ())
    assert the_only(books).state == S.ACCEPTED


def test_a_merge_is_followed_to_the_contact_that_is_left_and_the_key_stays(books: Engine) -> None:
    issued(books)
    key = the_only(books).key
    now_reads(books, OTHER_CONTACT, mobile=OTHER_MOBILE)
    now_reads(books, ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    assert in_step(books, OTHER_CONTACT).decided == 1
    row = the_only(books)
    assert (row.key, row.state, row.contact_id) == (key, S.PLANNED, OTHER_CONTACT)
    with reading(books) as session:
        assert session.exec(select(Leg.address)).one() == OTHER_MOBILE


def test_a_merge_into_a_contact_that_was_never_read_silences_rather_than_guesses(books: Engine) -> None:
    issued(books)
    now_reads(books, ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    in_step(books, CONTACT)
    assert the_only(books).reason == "contact_closed"


def test_a_ring_of_merges_ends(books: Engine) -> None:
    issued(books)
    now_reads(books, ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    now_reads(books, OTHER_CONTACT, ContactStatus="ARCHIVED", MergedToContactID=CONTACT)
    in_step(books, CONTACT)
    assert the_only(books).state == S.SKIPPED
