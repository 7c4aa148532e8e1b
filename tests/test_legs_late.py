"""A message that came back late has no other way follow while a newer message may have reached the person."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.ledger import preferences
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import writing
from duebell.states import NotificationState
from tests.support_facts import MOBILE, receipt, sid
from tests.support_shop import Shop, refused

S = NotificationState
RETRY = timedelta(minutes=10)


@pytest.fixture
def shop(ledger: Engine, tmp_path: Path) -> Shop:
    """A business one of whose SMS Twilio refused for want of capacity, and took all the same."""
    business = Shop(ledger, tmp_path, '"sms", "email"')
    refused(business, 429, 20429)
    business.issues(1)
    assert business.tells(1) == [S.PLANNED]
    business.twilio.refuses.clear()
    business.later(RETRY)
    return business


def comes_back_late(shop: Shop) -> None:
    """The network says that the first SMS, which nobody knew of, did not arrive."""
    with reading(shop.engine) as session:
        first = session.exec(select(Attempt).order_by(col(Attempt.started_at))).all()[0]
    late = replace(receipt("undelivered", code=30003), sid=sid(99), attempt_id=first.attempt_id)
    keep_receipt(shop.engine, late, now=shop.clock.now)
    assert broken(shop.engine) == []


def test_no_second_email_follows_the_one_that_was_sent_meanwhile(shop: Shop) -> None:
    with writing(shop.engine, shop.clock.now) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    assert shop.tells(1) == [S.ACCEPTED]
    comes_back_late(shop)
    shop.later(timedelta(days=2))
    assert shop.tells(1) == []
    assert shop.twilio.asked == [MOBILE, "email"]


def test_no_email_follows_while_the_newer_sms_may_have_arrived(shop: Shop) -> None:
    assert shop.tells(1) == [S.ACCEPTED]
    comes_back_late(shop)
    shop.later(timedelta(days=2))
    assert shop.tells(1) == []
    keep_receipt(shop.engine, receipt("delivered", 2), now=shop.clock.now)
    assert shop.stands(1) == (S.DELIVERED, "")
    assert shop.twilio.asked == [MOBILE, MOBILE]


def test_an_email_follows_where_nothing_else_was_sent_since(shop: Shop) -> None:
    comes_back_late(shop)
    shop.later(timedelta(days=2))
    assert shop.tells(1) == [S.ACCEPTED]
    assert shop.twilio.asked == [MOBILE, "email"]
