"""What Twilio refused or could not deliver, and somebody should look at, is told by doctor."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from deployments import doctor_answers
from deployments.findings import Finding
from duebell.clock import Clock
from duebell.ledger.receipts import keep_receipt
from tests.support_facts import (
    NOW,
    accepted,
    conclude,
    invoice_body,
    keep_invoice,
    receipt,
    resources_over,
    sent_off,
    the_notification,
)


def looked(engine: Engine, clock: Clock = lambda: NOW) -> list[Finding]:
    return doctor_answers.look(resources_over(engine, clock))


def came_back(engine: Engine, number: int, code: int | None, status: str = "undelivered") -> None:
    sent_off(engine, number, f"a{number}")
    conclude(engine, accepted(number), f"a{number}")
    keep_receipt(engine, receipt(status, number, code=code), now=NOW)


def test_an_answer_that_somebody_should_look_at_is_told_with_its_meaning_and_an_invoice(
    ledger: Engine,
) -> None:
    came_back(ledger, 1, 30007)
    came_back(ledger, 2, 30007)
    invoice_id = the_notification(ledger, 1).invoice_id
    keep_invoice(ledger, invoice_body(invoice_id, InvoiceNumber="INV-0007"))
    [finding] = looked(ledger)
    assert not finding.sound
    assert "code 30007 came 2 times in the last 3 days" in finding.said
    assert "filtered as unwanted" in finding.said
    assert "`duebell explain INV-0007` shows one" in finding.said


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (30003, "undelivered"),
        (21614, "failed"),
        (30007, "delivered"),
        (30034, "failed"),
        (None, "delivered"),
    ],
)
def test_what_is_usual_or_arrived_or_stops_a_channel_is_not_told_here(
    ledger: Engine, code: int | None, status: str
) -> None:
    came_back(ledger, 1, code, status)
    [finding] = looked(ledger)
    assert finding.sound


def test_a_code_that_is_not_known_is_told_and_after_three_days_nobody_is_reminded_of_it(
    ledger: Engine,
) -> None:
    came_back(ledger, 1, 39999)
    [finding] = looked(ledger)
    assert "not delivered for a reason we do not know (twilio.com/docs/api/errors/39999)" in finding.said
    assert looked(ledger, lambda: NOW + timedelta(days=3, minutes=1))[0].sound
