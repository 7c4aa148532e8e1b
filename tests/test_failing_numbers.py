"""A number that fails again and again is invalid, until it changes in Xero."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import preferences
from duebell.ledger.engine import reading
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt
from duebell.states import NotificationState
from tests.support_facts import (
    MOBILE,
    keep_contact,
    receipt,
)
from tests.support_shop import Shop, came_back

S = NotificationState
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(ledger: Engine, tmp_path: Path) -> Shop:
    return Shop(ledger, tmp_path)


def fails(shop: Shop, number: int, code: int) -> None:
    """A message about this invoice is taken and comes back."""
    shop.issues(number)
    shop.tells(number)
    came_back(shop, len(shop.twilio.asked), code)


def is_invalid(shop: Shop) -> bool:
    with reading(shop.engine) as session:
        return preferences.refusals(session, [MOBILE]) == {MOBILE: "invalid"}


def test_a_number_that_is_unknown_twice_is_not_texted_until_it_changes_in_xero(shop: Shop) -> None:
    fails(shop, 1, 30005)
    assert not is_invalid(shop)
    fails(shop, 2, 30005)
    assert is_invalid(shop)
    shop.issues(3)
    assert shop.tells(3) == []
    assert shop.stands(3) == (S.SKIPPED, "number_invalid")
    keep_contact(shop.engine, mobile="+64219999999", read_at=shop.clock.now + MINUTE)
    assert shop.tells(3) == [S.ACCEPTED]


def test_a_phone_that_is_off_is_invalid_only_after_days_of_it(shop: Shop) -> None:
    for number in range(1, 4):
        fails(shop, number, 30003)
    assert not is_invalid(shop)
    shop.later(timedelta(days=3))
    fails(shop, 4, 30003)
    assert is_invalid(shop)


def test_a_delivery_in_between_says_that_the_number_is_good(shop: Shop) -> None:
    fails(shop, 1, 30005)
    shop.later(MINUTE)
    shop.issues(2)
    shop.tells(2)
    keep_receipt(shop.engine, receipt("delivered", 2), now=shop.clock.now)
    shop.later(MINUTE)
    fails(shop, 3, 30005)
    assert not is_invalid(shop)
    with reading(shop.engine) as session:
        assert len(session.exec(select(Attempt)).all()) == 3
