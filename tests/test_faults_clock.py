"""Faults of the clock, by their number: set wrong, set back, one a machine; nothing is said early."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from sqlalchemy import Engine

from duebell.books.calls import CLOCKS_APART
from duebell.errors import ConfigurationError, TenantParked
from duebell.ledger import attempts, tenants
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import writing
from duebell.sending.telling import tell
from tests.support_calls import Desk
from tests.support_facts import (
    INVOICE,
    MINUTE,
    NOW,
    TENANT,
    Hand,
    claim,
    counted,
    invoice_body,
    keep_invoice,
    nobody_answers,
    resources_over,
)
from tests.test_faults_sending import accepting, owed_and_claimed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def xero_says_it_is(desk: Desk, moment: datetime) -> None:
    """Every answer of Xero's bears this time."""
    told = {"Date": format_datetime(moment, usegmt=True)}
    desk.xero.refuse = lambda _path: httpx.Response(200, headers=told, json={"Invoices": []})


@pytest.mark.parametrize("off", [DAY, -HOUR, CLOCKS_APART + MINUTE, -CLOCKS_APART - MINUTE])
def test_f106_with_a_clock_that_is_far_from_xero_s_nothing_is_read_until_it_is_set(
    ledger: Engine, off: timedelta
) -> None:
    """And without a read of the last minute nothing is said: at no wrong hour, and of no day to come."""
    desk = Desk(ledger)
    desk.clock.now = NOW + off
    xero_says_it_is(desk, NOW)
    side = "ahead of" if off > timedelta() else "behind"
    with pytest.raises(ConfigurationError, match=f"{side} Xero's: set it"):
        desk.call()
    desk.clock.now = NOW + timedelta(minutes=10)
    desk.call()


def test_f106_a_day_that_is_used_up_by_a_wrong_clock_parks_nobody_once_it_is_right(ledger: Engine) -> None:
    desk = Desk(ledger)
    desk.clock.now = NOW + timedelta(hours=13)
    told = {"Date": format_datetime(NOW, usegmt=True), "Retry-After": "3600", "X-Rate-Limit-Problem": "day"}
    desk.xero.refuse = lambda _path: httpx.Response(429, headers=told)
    with pytest.raises(ConfigurationError, match="ahead of"):
        desk.call()
    assert tenants.get(ledger, TENANT).parked_until is None
    desk.clock.now = NOW + MINUTE
    with pytest.raises(TenantParked):
        desk.call()
    assert tenants.get(ledger, TENANT).parked_until == NOW + 61 * MINUTE


def test_f106_what_was_read_before_the_clock_was_set_back_is_not_taken_for_new(ledger: Engine) -> None:
    taken, clock = owed_and_claimed(ledger), Hand(NOW - HOUR)
    resources = resources_over(ledger, clock, twilio=nobody_answers)

    def paid_meanwhile(_tenant: str, _ids: Sequence[str], _since: datetime) -> None:
        body = invoice_body(INVOICE, updated_at=clock(), Status="PAID", AmountDue=0, AmountPaid=115)
        keep_invoice(ledger, body, read_at=clock())

    assert tell(resources, taken, paid_meanwhile, flow_run_id=None).state == "planned"
    clock.now = NOW + 2 * MINUTE
    again = claim(ledger, taken.notification_id, now=clock())
    assert again
    assert tell(resources, again, paid_meanwhile, flow_run_id=None).state == "skipped"
    assert counted(ledger, Attempt) == 0
    assert broken(ledger) == []


def not_needed(_tenant: str, _ids: Sequence[str], _since: datetime) -> None:
    raise AssertionError("the invoice was read a moment ago")


def test_f106_a_machine_that_is_a_day_ahead_takes_a_claim_and_nothing_is_told_twice(ledger: Engine) -> None:
    slow = owed_and_claimed(ledger)
    with writing(ledger, NOW + DAY) as book:
        assert attempts.reap(book, MINUTE).returned == 1
    taken = claim(ledger, slow.notification_id, "run 2", now=NOW + DAY)
    assert taken
    tell(resources_over(ledger, twilio=nobody_answers), slow, not_needed, flow_run_id=None)
    assert counted(ledger, Attempt) == 0
    posted: list[str] = []
    tell(resources_over(ledger, twilio=accepting(posted)), taken, not_needed, flow_run_id=None)
    assert len(posted) == 1
    assert broken(ledger) == []


def test_f106_a_machine_that_is_a_day_ahead_gives_up_a_post_that_is_under_way_and_it_is_told_once(
    ledger: Engine,
) -> None:
    posted: list[str] = []

    def while_it_is_posted(request: httpx.Request) -> httpx.Response:
        with writing(ledger, NOW + DAY) as book:
            assert attempts.reap(book, MINUTE).unknown == 1
        return accepting(posted)(request)

    taken = owed_and_claimed(ledger)
    said = tell(resources_over(ledger, twilio=while_it_is_posted), taken, not_needed, flow_run_id=None)
    assert (said.state, len(posted)) == ("accepted", 1)
    assert claim(ledger, taken.notification_id, "run 2", now=NOW + DAY) is None
    assert counted(ledger, Attempt) == 1
    assert broken(ledger) == []
