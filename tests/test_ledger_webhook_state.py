"""Episodes of broken webhooks in the ledger: begun once, told of once, and ended by a webhook that comes."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from deployments.doctor_xero_feed import look, polled
from duebell.books.webhook_health import MENDS, SAID, Why
from duebell.ledger import inbox, polls
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.polls import FoundBy, News
from duebell.ledger.tables import Audit, Tenant
from duebell.ledger.webhook_state import Alarm, heard, judge
from duebell.ledger.writing import writing
from duebell.policy_file.policy import PollingPolicy
from duebell.showing.reporting_webhooks import told_of
from tests.support_facts import (
    MINUTE,
    NOW,
    OTHER_TENANT,
    TENANT,
    Hand,
    at_once,
    numbered,
    open_tenant,
    resources_over,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def books(ledger: Engine) -> Engine:
    open_tenant(ledger, webhook_at=NOW - 5 * HOUR, polled_at=NOW)
    open_tenant(ledger, OTHER_TENANT, name="Totara Test Limited", webhook_at=NOW - 5 * HOUR)
    return ledger


def find(engine: Engine, minutes_ago: int, number: int, found_by: FoundBy = FoundBy.LIST) -> None:
    """A poll of so many minutes ago finds a change that was made a quarter of an hour before it."""
    begun = NOW - minutes_ago * MINUTE
    news = [News("INVOICE", numbered(number), f"{number}", begun - 15 * MINUTE)]
    polls.keep_news(engine, TENANT, news, found_by, received_at=begun, now=begun)


def deliver(engine: Engine, now: datetime, *events: NewEvent, first: int = 1, last: int = 1) -> None:
    with writing(engine, now) as book:
        inbox.keep_in(book, events, [], now)
        heard(book, {TENANT}, first, last)


def a_webhook(number: int, at: datetime) -> NewEvent:
    return NewEvent(TENANT, "INVOICE", numbered(number), "UPDATE", at.isoformat(), at)


def the_tenant(engine: Engine, tenant_id: str = TENANT) -> Tenant:
    with reading(engine) as session:
        return session.get_one(Tenant, tenant_id)


def trail(engine: Engine) -> list[str]:
    with reading(engine) as session:
        wanted = select(Audit.action).where(col(Audit.action).contains("webhooks"))
        return list(session.exec(wanted.order_by(col(Audit.sequence))))


def test_f042_two_polls_that_found_what_no_webhook_told_begin_one_episode(books: Engine) -> None:
    find(books, 30, 1)
    assert judge(books, TENANT, now=NOW) is None
    find(books, 15, 2)
    assert judge(books, TENANT, now=NOW) == Alarm(TENANT, NOW, Why.SILENT)
    for minutes in range(15, 3 * 24 * 60, 60):
        assert judge(books, TENANT, now=NOW + minutes * MINUTE) is None
    assert the_tenant(books).webhooks_suspect_at == NOW
    assert the_tenant(books, OTHER_TENANT).webhooks_suspect_at is None
    assert trail(books) == ["webhooks look broken"]


def test_of_several_that_judge_at_once_one_begins_the_episode(books: Engine) -> None:
    find(books, 30, 1)
    find(books, 15, 2)
    alarms = at_once(8, lambda _: judge(books, TENANT, now=NOW))
    assert len([alarm for alarm in alarms if alarm]) == 1


def test_an_episode_ends_once_a_webhook_comes_and_the_next_one_is_told_of_again(books: Engine) -> None:
    find(books, 30, 1)
    find(books, 15, 2)
    judge(books, TENANT, now=NOW)
    deliver(books, NOW + MINUTE, a_webhook(9, NOW))
    assert judge(books, TENANT, now=NOW + 2 * MINUTE) is None
    assert the_tenant(books).webhooks_suspect_at is None
    find(books, -30, 3)
    find(books, -45, 4)
    assert judge(books, TENANT, now=NOW + HOUR) is not None
    assert trail(books) == ["webhooks look broken", "webhooks come again", "webhooks look broken"]


def test_where_contacts_are_not_ticked_at_xero_the_mend_says_to_tick_them(books: Engine) -> None:
    for minutes in (30, 15):
        begun = NOW - minutes * MINUTE
        news = [News("CONTACT", numbered(minutes), "changed", begun - 15 * MINUTE)]
        polls.keep_news(books, TENANT, news, FoundBy.LIST, received_at=begun, now=begun)
    assert judge(books, TENANT, now=NOW) == Alarm(TENANT, NOW, Why.SILENT)
    assert "invoices and contacts are ticked" in told_of(books, the_tenant(books)).message


def test_webhooks_that_told_of_what_polling_found_too_are_sound(books: Engine) -> None:
    find(books, 30, 1)
    find(books, 15, 2)
    at = NOW - 45 * MINUTE
    inbox.keep(books, [a_webhook(1, at), a_webhook(2, at + 15 * MINUTE)], [], now=at)
    assert judge(books, TENANT, now=NOW) is None


@pytest.mark.parametrize("found_by", [one for one in FoundBy if one is not FoundBy.LIST])
def test_what_webhooks_need_not_tell_of_is_no_sign(books: Engine, found_by: FoundBy) -> None:
    for number, minutes_ago in enumerate((60, 45, 30, 15)):
        find(books, minutes_ago, number, found_by)
    assert judge(books, TENANT, now=NOW) is None


def test_a_gap_in_xero_s_numbers_is_told_of_after_20_minutes_and_closed_by_what_comes_late(
    books: Engine,
) -> None:
    deliver(books, NOW)
    deliver(books, NOW + MINUTE, first=3, last=3)
    assert judge(books, TENANT, now=NOW + 20 * MINUTE) is None
    assert judge(books, TENANT, now=NOW + 22 * MINUTE) == Alarm(TENANT, NOW + 22 * MINUTE, Why.GAP)
    deliver(books, NOW + 30 * MINUTE, first=2, last=2)
    assert judge(books, TENANT, now=NOW + 31 * MINUTE) is None
    assert the_tenant(books).webhooks_suspect_at is None


def test_a_tenant_without_webhooks_is_told_of_once_and_not_every_hour(ledger: Engine) -> None:
    open_tenant(ledger)
    find(ledger, 15, 1)
    assert judge(ledger, TENANT, now=NOW) == Alarm(TENANT, NOW, Why.NEVER_CAME)
    assert [judge(ledger, TENANT, now=NOW + hour * HOUR) for hour in range(1, 48)] == [None] * 47
    assert "custom connection" in told_of(ledger, the_tenant(ledger)).page


def test_what_is_told_names_the_mend_and_no_organisation(books: Engine) -> None:
    sound = told_of(books, the_tenant(books))
    assert (sound.sound, sound.name) == (True, "Webhooks are sound")
    find(books, 30, 1)
    find(books, 15, 2)
    judge(books, TENANT, now=NOW)
    told = told_of(books, the_tenant(books))
    assert (told.sound, told.name) == (False, "Webhooks look broken")
    for text in (told.message, told.page):
        assert SAID[Why.SILENT] in text
        assert MENDS[Why.SILENT] in text
        assert "Kauri" not in text
    assert "since 2026" in told.page.lower()


def test_doctor_says_since_when_webhooks_are_silent_and_when_polling_last_asked(books: Engine) -> None:
    found = {one.what: one for one in look(resources_over(books, Hand()))}
    assert found["webhooks of Kauri Test Limited"].said == "silent since 2026-11-19 20:16 UTC"
    assert found["polling of Kauri Test Limited"].said == "last asked 2026-11-20 01:16 UTC"
    assert all(one.sound for one in found.values())
    find(books, 30, 1)
    find(books, 15, 2)
    judge(books, TENANT, now=NOW)
    [webhooks] = [one for one in look(resources_over(books, Hand())) if not one.sound]
    assert webhooks.what == "webhooks of Kauri Test Limited"
    assert MENDS[Why.SILENT] in webhooks.said


def test_doctor_asks_for_help_where_polling_is_late_and_not_where_it_is_off_or_parked(books: Engine) -> None:
    tenant = the_tenant(books)
    assert polled(tenant, PollingPolicy(), NOW + 30 * MINUTE).sound
    assert not polled(tenant, PollingPolicy(), NOW + 31 * MINUTE).sound
    assert polled(tenant, PollingPolicy(every_minutes=60), NOW + 31 * MINUTE).sound
    assert polled(tenant, PollingPolicy(enabled=False), NOW + 31 * MINUTE).sound
    tenant.parked_until = NOW + 32 * MINUTE
    assert polled(tenant, PollingPolicy(), NOW + 31 * MINUTE).sound
    tenant.polled_at = None
    assert polled(tenant, PollingPolicy(), NOW).sound


def test_an_invoice_of_which_a_webhook_told_in_another_category_is_still_missed(books: Engine) -> None:
    find(books, 30, 1)
    find(books, 15, 2)
    inbox.keep(
        books, [NewEvent(TENANT, "CONTACT", numbered(1), "UPDATE", "m", NOW - 40 * MINUTE)], [], now=NOW
    )
    assert judge(books, TENANT, now=NOW) is not None
