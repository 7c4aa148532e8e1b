"""A fault of our own setup stops its channel: nothing is spent on it, nobody is lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from deployments.receiver.orders import CHANNEL_STOPPED, Seen, orders_for
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import channel_stops, dispatch, preferences
from duebell.ledger.channel_stops import FIRST_WAIT, LONGEST_WAIT
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import claim_all
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Audit, Notification
from duebell.ledger.writing import writing
from duebell.planning import plan_kind
from duebell.reporting_channels import told_of
from duebell.resending import resend
from duebell.resources import Resources
from duebell.states import NotificationState
from duebell.telling import rules_of, tell
from tests.support_facts import (
    ACCOUNT,
    CONTACT,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    TENANT,
    Hand,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    receipt,
    resources_over,
    sid,
)

S = NotificationState
ABROAD = "+12025550123"
EMAIL = "rimu@example.com"
SMS, TO_US = "channel:sms", "channel:sms:US"
MINUTE = timedelta(minutes=1)


class Twilio:
    """A Twilio that refuses with a code, for each country until it is mended; ``asked`` are its POSTs."""

    def __init__(self) -> None:
        self.refuses: dict[str, tuple[int, int]] = {}
        self.mail = 202
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/Emails":
            self.asked.append("email")
            if self.mail != 202:
                return httpx.Response(self.mail, json={"message": "no"})
            return httpx.Response(202, json={"operationId": f"comms_operation_{len(self.asked):026}"})
        to = httpx.QueryParams(request.content.decode())["To"]
        self.asked.append(to)
        for beginning, (status, code) in self.refuses.items():
            if to.startswith(beginning):
                return httpx.Response(status, json={"code": code, "message": "no", "status": status})
        body = {"sid": sid(len(self.asked)), "status": "queued", "account_sid": ACCOUNT}
        return httpx.Response(201, json=body)


class Shop:
    """A business whose invoices are told one by one, on a clock that is moved."""

    def __init__(self, engine: Engine, folder: Path, channels: str = '"sms"') -> None:
        self.engine, self.clock, self.twilio = engine, Hand(), Twilio()
        lines = f'[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\nchannels = [{channels}]\n'
        (folder / "policy.toml").write_text(lines)
        self.resources: Resources = resources_over(
            engine,
            self.clock,
            twilio=self.twilio,
            DUEBELL_POLICY=str(folder / "policy.toml"),
            EMAIL_FROM="bills@kauri.example",
        )
        open_tenant(engine)
        keep_contact(engine, EmailAddress=EMAIL)
        keep_contact(engine, OTHER_CONTACT, ABROAD, EmailAddress="us@example.com")

    def issues(self, *numbers: int, contact: str = CONTACT) -> None:
        for number in numbers:
            body = invoice_body(numbered(number), Contact={"ContactID": contact})
            keep_invoice(self.engine, body, read_at=self.clock.now)

    def tells(self, *numbers: int) -> list[str]:
        """A run for these invoices; returns how each of what it claimed stands then."""
        ids, now = [numbered(number) for number in numbers], self.clock.now
        with writing(self.engine, now) as book:
            rules = rules_of(self.resources)
            rows = plan_kind(book, TENANT, INVOICE_ISSUED, ids, rules, actor="test", flow_run_id=None)
            claims = claim_all(book, rows, f"run {now}")
        return [tell(self.resources, claim, self._reads, flow_run_id="r").state for claim in claims]

    def _reads(self, _tenant_id: str, invoice_ids: Sequence[str], _since: datetime) -> None:
        for invoice_id in invoice_ids:
            with reading(self.engine) as session:
                wanted = select(Notification.contact_id).where(Notification.invoice_id == invoice_id)
                contact = session.exec(wanted).first()
            self.issues(int(invoice_id[-4:], 16) & 0xFFF, contact=contact or CONTACT)

    def due(self) -> list[int]:
        """The invoices that the net would start runs for now."""
        runs = dispatch.due(self.engine, now=self.clock.now)
        return [int(one[-4:], 16) & 0xFFF for run in runs for one in run.invoice_ids]

    def later(self, wait: timedelta) -> None:
        self.clock.now += wait

    def stands(self, number: int) -> tuple[str, str]:
        with reading(self.engine) as session:
            wanted = select(Notification).where(Notification.invoice_id == numbered(number))
            row = session.exec(wanted).one()
            return row.state, row.reason

    def stopped(self) -> list[str]:
        return [stop.scope for stop in channel_stops.stops(self.engine)]

    def trail(self) -> list[str]:
        with reading(self.engine) as session:
            wanted = select(Audit.action).where(Audit.subject_type == "brake").order_by("sequence")
            return list(session.exec(wanted).all())


@pytest.fixture
def shop(ledger: Engine, tmp_path: Path) -> Shop:
    return Shop(ledger, tmp_path)


def refused(shop: Shop, status: int, code: int, to: str = "+") -> None:
    shop.twilio.refuses[to] = (status, code)


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 0), (400, 21660), (429, 63038)])
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
    assert channel_stops.lift_all(shop.engine, "person:test", now=shop.clock.now) == ["sms"]
    assert shop.due() == [1]
    assert shop.tells(1) == [S.ACCEPTED]


def test_news_of_an_invoice_does_not_try_a_stopped_channel(shop: Shop) -> None:
    refused(shop, 401, 20003)
    shop.issues(1)
    shop.tells(1)
    shop.later(MINUTE)
    assert shop.tells(1) == []
    assert shop.stands(1) == (S.HELD, "channel_stopped:sms")


@pytest.mark.parametrize("code", [21408, 21606, 21657, 21703, 30034])
def test_a_country_that_is_closed_to_us_stops_nobody_else(shop: Shop, code: int) -> None:
    refused(shop, 400, code, "+1")
    shop.issues(1, 2, contact=OTHER_CONTACT)
    shop.issues(3)
    assert shop.tells(1, 2, 3) == [S.HELD, S.HELD, S.ACCEPTED]
    assert shop.twilio.asked == [ABROAD, MOBILE]
    assert shop.stopped() == [TO_US]


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


def came_back(shop: Shop, number: int, code: int, status: str = "undelivered") -> None:
    keep_receipt(shop.engine, receipt(status, number, code=code), now=shop.clock.now)


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
    channel_stops.lift_all(shop.engine, "person:test", now=shop.clock.now + MINUTE)
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
    channel_stops.lift_all(shop.engine, "person:test", now=shop.clock.now)
    assert told_of(shop.engine, SMS).sound
    assert told_of(shop.engine, "channel:fax").sound


# Numbers that fail again and again.


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
