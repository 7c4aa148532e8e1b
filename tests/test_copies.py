"""What a provider made twice of one message cannot be called back, and does not go unsaid."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments import doctor_copies
from duebell.ledger import copies
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.trail import of_subject
from duebell.ledger.unsettled import settle_due
from duebell.showing.explaining import explain
from duebell.states import NotificationState
from tests.support_facts import MINUTE, NOW, accepted, conclude, receipt, sent_off, sid, the_notification
from tests.support_watching import Office

S = NotificationState


def said(engine: Engine, key: str) -> list[str]:
    with reading(engine) as session:
        return [one.reason for one in of_subject(session, key) if one.action == copies.WENT_OUT]


def test_a_second_message_of_one_post_is_said_once_it_went_out(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    key = the_notification(ledger).key
    keep_receipt(ledger, receipt("queued", 2, attempt_id="a1"), now=NOW)
    assert said(ledger, key) == []
    for status in ("sent", "delivered", "delivered"):
        keep_receipt(ledger, receipt(status, 2, attempt_id="a1"), now=NOW)
    assert said(ledger, key) == [f"Twilio made {sid(2)} of it beside {sid(1)}"]
    assert the_notification(ledger).state == S.ACCEPTED
    assert broken(ledger) == []


@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled"])
def test_a_second_message_that_nobody_got_is_no_copy_that_went_out(ledger: Engine, status: str) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    keep_receipt(ledger, receipt(status, 2, attempt_id="a1"), now=NOW)
    assert said(ledger, the_notification(ledger).key) == []


def test_a_receipt_of_an_attempt_that_nobody_knows_says_nothing(ledger: Engine) -> None:
    sent_off(ledger)
    keep_receipt(ledger, receipt("sent", 2, attempt_id="another ledger's"), now=NOW)
    assert said(ledger, the_notification(ledger).key) == []


def test_a_copy_that_the_list_hid_until_it_was_out_is_said_and_shown(ledger: Engine, tmp_path: Path) -> None:
    """The message itself was taken back, because the invoice was voided."""
    office = Office(ledger, tmp_path)
    office.twilio.fates = ["lost"]
    office.tells()
    office.twilio.duplicate(hidden=26 * MINUTE)
    office.until(NOW + 6 * MINUTE)
    office.invoice = {"Status": "VOIDED"}
    [sound] = doctor_copies.look(office.resources)
    assert sound.sound
    office.until(NOW + 60 * MINUTE)
    assert [one.cancelled for one in office.twilio.copies] == [True, False]
    assert len(said(ledger, office.row().key)) == 1
    assert not settle_due(ledger, now=office.clock())
    [finding] = doctor_copies.look(office.resources)
    assert not finding.sound
    assert "1 went out beside the message that was meant, about INV-" in finding.said
    [person] = explain(office.resources, finding.said.partition("about ")[2].partition(":")[0]).people
    assert any(sid(2) in step.what for step in person.steps)
    office.passes(timedelta(days=8))
    assert doctor_copies.look(office.resources)[0].sound
