"""An email that its server took and gave back later was read by nobody, and somebody hears of it."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from duebell.ledger import untold
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.preferences import refusals
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.policy.reaching import Way
from duebell.policy.verdict import Send
from duebell.showing.reporting import in_words
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    TENANT,
    begin,
    claim,
    conclude,
    numbered,
    open_tenant,
    plan,
    the_notification,
)

S = NotificationState
TAKEN = Conclusion(AttemptState.ACCEPTED, S.ACCEPTED, sid="grid", provider_status="accepted")
TO = "ann@rimu.example"


def heard(engine: Engine, words: Sequence[str], *, others: tuple[Way, ...] = ()) -> None:
    """SendGrid takes an email, and says these words of it one after the other."""
    open_tenant(engine)
    row = plan(engine, 1, Send(TO, channel="email", others=others))
    claimed = claim(engine, row.notification_id or 0)
    assert claimed is not None
    assert begin(engine, claimed) is not None
    conclude(engine, TAKEN)
    for minutes, word in enumerate(words, start=1):
        said = NewReceipt("grid", word, None, "a1", "{}", "sendgrid")
        keep_receipt(engine, said, now=NOW + minutes * MINUTE)


def causes(engine: Engine) -> list[str]:
    """Why the customer of the invoice was not told, for the team."""
    with reading(engine) as session:
        invoices = untold.since(session, TENANT, NOW)
        found = untold.of_invoices(session, TENANT, [numbered(1)])
    assert list(found) == list(invoices)
    return [one.cause for every in found.values() for one in every]


@pytest.mark.parametrize("others", [(), (Way("sms", MOBILE),)], ids=["alone", "another way"])
@pytest.mark.parametrize("words", [("delivered", "bounce"), ("bounce", "delivered")])
def test_one_that_came_back_after_its_delivery_says_so_and_the_team_hears(
    ledger: Engine, words: tuple[str, str], others: tuple[Way, ...]
) -> None:
    heard(ledger, words, others=others)
    row = the_notification(ledger)
    assert (row.state, row.reason) == (S.DELIVERED, "came_back:email:bounce")
    assert in_words(row.reason) == (
        "it came back after its server had taken it, so that nobody read it "
        "(the recipient's server knows no such address)"
    )
    assert causes(ledger) == ["undelivered"]
    with reading(ledger) as session:
        assert refusals(session, [TO], "email") == {TO: "invalid"}
    assert broken(ledger) == []


@pytest.mark.parametrize("words", [("delivered",), ("delivered", "blocked"), ("delivered", "open", "bounce")])
def test_one_that_was_refused_but_once_or_that_was_opened_reached_somebody(
    ledger: Engine, words: tuple[str, ...]
) -> None:
    heard(ledger, words)
    assert (the_notification(ledger).state, the_notification(ledger).reason) == (S.DELIVERED, "")
    assert causes(ledger) == []
