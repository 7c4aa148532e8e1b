"""A message tells of several invoices, and one of them cannot be read anew: the others do not wait for it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from duebell.books.read_in_time import FRESH
from duebell.keys import PAYMENT_RECEIVED
from duebell.ledger import notifications
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.giving_back import Said
from duebell.sending.telling import tell
from duebell.states import NotificationState
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    RULES,
    TENANT,
    Hand,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    resources_over,
)
from tests.support_overdue import Phones
from tests.test_payments_told import Watch, body, invoices_paid_together, payment, rows

S = NotificationState
LATER = NOW + 2 * MINUTE + FRESH
ALL = [numbered(n) for n in (1, 2, 3)]


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """A customer who paid three invoices, of which one message is to tell."""
    open_tenant(ledger)
    keep_contact(ledger)
    Watch(ledger).sees(*invoices_paid_together(3))
    return ledger


def tells(
    engine: Engine, phones: Phones, unread: Sequence[str], at: datetime, ids: Sequence[str] = ALL
) -> Said:
    """A run of these invoices takes up what is to be told, while some of them cannot be read."""

    def read_again(_tenant: str, invoice_ids: Sequence[str], _since: datetime) -> None:
        for number, one in enumerate(ALL, start=1):
            if one in invoice_ids and one not in unread:
                keep_invoice(engine, body(payment(number), invoice_id=one, minute=1), read_at=at)

    with writing(engine, at) as book:
        planned = plan_kind(book, TENANT, PAYMENT_RECEIVED, ids, RULES, actor="test", flow_run_id=None)
        [claim] = notifications.claim_all(book, planned, "run")
    return tell(resources_over(engine, Hand(at), twilio=phones), claim, read_again, flow_run_id="run")


def states(engine: Engine) -> list[tuple[str, str]]:
    return [(row.state, row.reason) for row in rows(engine)]


def row_of(engine: Engine, invoice_id: str) -> Notification:
    return next(row for row in rows(engine) if row.invoice_id == invoice_id)


WAITS = (S.HELD.value, "read_too_old")
GONE = (S.ACCEPTED.value, "")


@pytest.mark.parametrize("unread", ALL[1:])
def test_one_that_is_told_with_others_waits_by_itself_and_the_others_go_out(
    books: Engine, unread: str
) -> None:
    phones = Phones()
    assert tells(books, phones, [unread], LATER).state == S.ACCEPTED
    assert states(books) == [WAITS if one == unread else GONE for one in ALL]
    left = row_of(books, unread)
    assert (left.lead_id, left.dispatch_at) == (None, left.not_before)
    assert left.dispatch_at is not None
    assert left.dispatch_at > LATER
    assert "40" in phones.to(MOBILE)[0]
    assert tells(books, phones, [], left.dispatch_at).state == S.ACCEPTED
    assert states(books) == [GONE] * 3
    assert len(phones.to(MOBILE)) == 2
    assert broken(books) == []


def test_where_it_is_the_one_that_leads_the_others_are_told_without_it(books: Engine) -> None:
    phones = Phones()
    said = tells(books, phones, ALL[:1], LATER)
    assert (said.state, said.reason) == WAITS
    assert states(books) == [WAITS, (S.PLANNED.value, ""), (S.PLANNED.value, "")]
    assert tells(books, phones, ALL[:1], LATER + timedelta(seconds=1), ALL[1:]).state == S.ACCEPTED
    assert states(books) == [WAITS, GONE, GONE]
    assert len(phones.to(MOBILE)) == 1
    assert broken(books) == []


def test_where_none_can_be_read_all_of_them_wait_together(books: Engine) -> None:
    said = tells(books, Phones(), ALL, LATER)
    assert (said.state, said.reason) == (S.PLANNED, "read_too_old")
    lead, *others = rows(books)
    assert [row.lead_id for row in others] == [lead.notification_id] * 2
    assert broken(books) == []
