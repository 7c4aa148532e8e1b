"""A fault of our own setup stops its channel: nothing is spent on it, nobody is lost."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments.receiver.orders import CHANNEL_STOPPED, Seen, orders_for
from duebell.ledger import channel_stops, tenants
from duebell.ledger.channel_stops import FIRST_WAIT, LONGEST_WAIT
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.sending.resending import resend
from duebell.showing.reporting_channels import told_of, typed
from duebell.states import NotificationState
from tests.support_facts import (
    MOBILE,
    NOW,
    OTHER_CONTACT,
    receipt,
)
from tests.support_shop import ABROAD, OTHER, OURS_TO_US, SMS, TO_US, Shop, came_back, mended, refused

S = NotificationState
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(ledger: Engine, tmp_path: Path) -> Shop:
    return Shop(ledger, tmp_path)


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 0), (400, 21609), (429, 63038)])
def test_f082_one_message_shows_the_fault_and_the_others_wait_without_being_spent(
    shop: Shop, status: int, code: int
) -> None:
    refused(shop, status, code)
    shop.issues(*range(1, 9))
    states = shop.tells(*range(1, 9))
    assert set(states) == {S.HELD}
    assert len(shop.twilio.asked) == 1
    assert {shop.stands(number) for number in range(1, 9)} == {(S.HELD, "channel_stopped:sms")}
    assert shop.stopped() == [SMS]
    assert shop.due() == []
    assert shop.trail() == ["channel stopped"]
    assert broken(shop.engine) == []


def test_a_stopped_channel_is_tried_again_by_one_message_each_time_after_as_long_again(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(*range(1, 5))
    shop.tells(*range(1, 5))
    waits = list[timedelta]()
    for _ in range(7):
        stop = channel_stops.stops(shop.engine)[0]
        assert stop.retry_at is not None
        waits.append(stop.retry_at - shop.clock.now)
        shop.later(waits[-1])
        before = len(shop.twilio.asked)
        assert sorted(shop.due()) == [1, 2, 3, 4]
        shop.tells(*shop.due())
        assert len(shop.twilio.asked) == before + 1
        assert shop.due() == []
    assert waits[:2] == [FIRST_WAIT, FIRST_WAIT]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert shop.trail() == ["channel stopped"]
    assert broken(shop.engine) == []


def test_one_that_something_else_keeps_from_going_out_does_not_try_it_for_the_others(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(1, 2)
    shop.tells(1, 2)
    shop.later(FIRST_WAIT)
    tenants.set_brake(shop.engine, stopped=True, by="test", why="", scope="all", now=shop.clock.now)
    shop.tells(1)
    assert shop.stands(1) == (S.PLANNED, "stopped_or_overtaken")
    [stop] = channel_stops.stops(shop.engine)
    assert stop.retry_at == shop.clock.now
    tenants.set_brake(shop.engine, stopped=False, by="test", why="", scope="all", now=shop.clock.now)
    assert 2 in shop.due()


def test_what_goes_through_opens_the_channel_for_all(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(1, 2, 3)
    shop.tells(1, 2, 3)
    shop.twilio.refuses.clear()
    shop.later(FIRST_WAIT)
    shop.tells(2)
    assert shop.stopped() == []
    assert sorted(shop.due()) == [1, 3]
    shop.tells(1, 3)
    assert {shop.stands(number)[0] for number in (1, 2, 3)} == {S.ACCEPTED}
    assert len(shop.twilio.asked) == 4
    assert shop.trail() == ["channel stopped", "channel open again"]


def test_a_person_who_has_mended_it_need_not_wait(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(1)
    shop.tells(1)
    shop.twilio.refuses.clear()
    assert mended(shop, shop.clock.now) == ["sms"]
    assert shop.due() == [1]
    assert shop.tells(1) == [S.ACCEPTED]


def test_news_of_an_invoice_does_not_try_a_stopped_channel(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(1)
    shop.tells(1)
    shop.later(MINUTE)
    assert shop.tells(1) == []
    assert shop.stands(1) == (S.HELD, "channel_stopped:sms")


@pytest.mark.parametrize(
    ("code", "closed"),
    [(21408, TO_US), *((code, OURS_TO_US) for code in (21606, 21657, 21703, 30034))],
)
def test_a_country_that_is_closed_to_us_stops_nobody_else(shop: Shop, code: int, closed: str) -> None:
    refused(shop, 400, code, "+1")
    shop.issues(1, 2, contact=OTHER_CONTACT)
    shop.issues(3)
    assert shop.tells(1, 2, 3) == [S.HELD, S.HELD, S.ACCEPTED]
    assert shop.twilio.asked == [ABROAD, MOBILE]
    assert shop.stopped() == [closed]


@pytest.mark.parametrize(
    ("code", "closed"), [(21606, f"channel:sms:NZ:from:{OTHER}"), (21660, f"channel:sms:from:{OTHER}")]
)
def test_a_sender_that_is_not_ours_stops_no_other_sender(shop: Shop, code: int, closed: str) -> None:
    refused(shop, 400, code, OTHER)
    shop.currencies = {1: "AUD", 2: "AUD"}
    shop.issues(1, 2, 3)
    assert shop.tells(1, 2, 3) == [S.HELD, S.HELD, S.ACCEPTED]
    assert shop.stopped() == [closed]
    shop.twilio.refuses.clear()
    shop.later(FIRST_WAIT)
    assert shop.tells(1, 2) == [S.ACCEPTED, S.ACCEPTED]
    assert shop.stopped() == []


def test_the_stop_of_one_sender_is_said_with_its_name(shop: Shop) -> None:
    refused(shop, 400, 21660, OTHER)
    shop.currencies = {1: "AUD"}
    shop.issues(1)
    shop.tells(1)
    assert told_of(shop.engine, f"channel:sms:from:{OTHER}").message.startswith(
        f"SMS from {OTHER} is stopped"
    )
    shop.twilio.refuses.clear()
    refused(shop, 400, 30034, "+1")
    shop.issues(2, contact=OTHER_CONTACT)
    shop.tells(2)
    told = told_of(shop.engine, OURS_TO_US).message
    assert told.startswith("SMS to US from your own sender is stopped")


def test_what_cannot_go_to_a_country_goes_by_the_next_channel_at_once(ledger: Engine, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, '"sms", "email"')
    refused(shop, 400, 21408, "+1")
    shop.issues(1, 2, 3, contact=OTHER_CONTACT)
    assert shop.tells(1, 2) == [S.PLANNED, S.PLANNED]
    assert resend(shop.resources, "INV-0003", by="person:test", why="lost").waits == ""
    assert shop.tells(1, 2) == [S.ACCEPTED, S.ACCEPTED]
    assert shop.twilio.asked == [ABROAD, "email", "email"]
    assert broken(shop.engine) == []


def test_a_channel_that_is_stopped_is_no_reason_for_another(ledger: Engine, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, '"sms", "email"')
    refused(shop, 401, 20003)
    shop.issues(1, 2)
    assert shop.tells(1, 2) == [S.HELD, S.HELD]
    assert shop.twilio.asked == [MOBILE]


@pytest.mark.parametrize("code", [21612, 21617, 30007, 21610])
def test_a_fault_of_one_message_stops_nothing(shop: Shop, code: int) -> None:
    refused(shop, 400, code)
    shop.issues(1)
    shop.tells(1)
    assert shop.stopped() == []


# The same by a callback.


def test_a_message_that_comes_back_for_such_a_fault_stops_the_channel_and_is_said_again_after_the_mend(
    shop: Shop,
) -> None:
    shop.issues(1, 2, 3)
    assert shop.tells(1, 2) == [S.ACCEPTED, S.ACCEPTED]
    came_back(shop, 1, 30002, "failed")
    came_back(shop, 2, 30002, "failed")
    assert shop.tells(3) == [S.HELD]
    assert {shop.stands(number) for number in (1, 2, 3)} == {(S.HELD, "channel_stopped:sms")}
    assert shop.trail() == ["channel stopped"]
    assert broken(shop.engine) == []
    shop.later(FIRST_WAIT)
    assert shop.tells(1) == [S.ACCEPTED]
    assert shop.stopped() == [SMS]  # that Twilio takes it says nothing of whether it gets through
    keep_receipt(shop.engine, receipt("sent", 3), now=shop.clock.now)
    assert shop.stopped() == []
    assert shop.tells(2, 3) == [S.ACCEPTED, S.ACCEPTED]
    assert broken(shop.engine) == []


def test_a_late_callback_about_a_message_from_before_the_mend_stops_nothing_and_is_said_again(
    shop: Shop,
) -> None:
    shop.issues(1, 2)
    shop.tells(1, 2)
    came_back(shop, 1, 30034)
    mended(shop, shop.clock.now + MINUTE)
    shop.later(2 * MINUTE)
    came_back(shop, 2, 30034)
    assert shop.stopped() == []
    assert sorted(shop.due()) == [1, 2]
    assert shop.tells(1, 2) == [S.ACCEPTED, S.ACCEPTED]
    assert broken(shop.engine) == []


def test_a_message_that_arrived_after_all_is_not_said_again(shop: Shop) -> None:
    shop.issues(1)
    shop.tells(1)
    came_back(shop, 1, 30002, "failed")
    keep_receipt(shop.engine, receipt("delivered", 1), now=shop.clock.now)
    assert shop.stands(1)[0] == S.DELIVERED
    assert broken(shop.engine) == []


# Email.


def test_a_mail_provider_that_refuses_us_stops_email_alone(ledger: Engine, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, '"email"')
    shop.twilio.mail = 403
    shop.issues(1, 2)
    assert shop.tells(1, 2) == [S.HELD, S.HELD]
    assert shop.stopped() == ["channel:email"]


# Who hears of it.


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("sms", "sms"),
        ("sms:US", "sms to US"),
        ("sms:from:Kauri", "sms from Kauri"),
        ("sms:NZ:from:-", "sms to NZ from your own sender"),
    ],
)
def test_what_is_opened_again_is_named_as_it_is_typed(scope: str, said: str) -> None:
    assert typed(scope) == said


def test_one_run_a_stop_says_so_however_often_it_is_looked_at(shop: Shop) -> None:
    seen = Seen(stops=((SMS, NOW), (TO_US, NOW)))
    orders = orders_for(seen, NOW)
    assert [(one.deployment, one.parameters) for one in orders] == [
        (CHANNEL_STOPPED, {"scope": SMS}),
        (CHANNEL_STOPPED, {"scope": TO_US}),
    ]
    assert orders_for(seen, NOW + timedelta(hours=1)) == orders
    assert orders_for(Seen(stops=((SMS, NOW + MINUTE),)), NOW) != orders[:1]


def test_what_is_told_of_a_stop_names_the_fault_the_wait_and_the_mend_and_no_number(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(1, 2)
    shop.tells(1, 2)
    told = told_of(shop.engine, SMS)
    assert not told.sound
    assert "wrong credentials" in told.message
    assert "2 messages wait" in told.page
    assert "duebell resume" in told.page
    assert MOBILE[-6:] not in told.page
    mended(shop, shop.clock.now)
    assert told_of(shop.engine, SMS).sound
    assert told_of(shop.engine, "channel:fax").sound
