"""What Twilio held and does not know after its time: a person decides, unless Twilio knows it again."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from duebell.errors import RecordNotFound
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.outstanding import outstanding
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.unsettled import held_too_long, settle_due
from duebell.sending.resending import resend
from duebell.settling.confirming import confirm
from duebell.settling.parked import look_for_parked, parked
from duebell.settling.settling import Settled
from duebell.settling.settling_by_hand import settle_by_hand
from duebell.states import NotificationState
from tests.support_facts import INVOICE, MINUTE, resources_over
from tests.support_watching import Office

S = NotificationState


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    return Office(ledger, tmp_path)


def knows_nothing(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(404, json={"code": 20404, "message": "not found", "status": 404})


def test_what_twilio_held_and_knows_no_more_is_asked_for_hourly_and_not_each_minute(office: Office) -> None:
    office.tells()
    [held] = office.attempts()
    assert held.send_at is not None
    office.clock.now = held.send_at + 3 * MINUTE
    assert settle_due(office.engine, now=office.clock())
    gone = resources_over(office.engine, office.clock, twilio=knows_nothing, **office.variables)
    with reading(office.engine) as session:
        [silent] = held_too_long(session, office.clock())
    with pytest.raises(RecordNotFound):
        confirm(gone, silent)
    office.passes(59 * MINUTE)
    assert not settle_due(office.engine, now=office.clock())
    office.passes(MINUTE)
    assert settle_due(office.engine, now=office.clock())


def test_what_twilio_held_and_knows_no_more_is_left_to_a_person_once_it_is_looked_for_no_more(
    office: Office,
) -> None:
    lost_by_twilio(office)
    assert (office.row().state, office.row().reason) == (S.PARKED, "no_evidence")
    assert not settle_due(office.engine, now=office.clock() + 48 * 60 * MINUTE)
    with reading(office.engine) as session:
        assert not held_too_long(session, office.clock())
        assert [one.state for one in outstanding(session, now=office.clock())] == [S.PARKED]
    assert resend(office.resources, INVOICE, by="Ana", why="Twilio lost it").state == S.PLANNED


def test_a_receipt_of_what_twilio_seemed_to_have_lost_is_proof_all_the_same(office: Office) -> None:
    lost = lost_by_twilio(office)
    keep_receipt(office.engine, NewReceipt(lost, "delivered", None, None, "{}"), now=office.clock())
    assert office.row().state == S.DELIVERED
    assert broken(office.engine) == []


def test_a_person_settles_what_twilio_knows_again_by_its_sid(office: Office) -> None:
    lost = lost_by_twilio(office)
    settled = settle_by_hand(office.resources, lost, by="Ana", why="the account is back")
    assert (settled.status, settled.state, office.row().state) == ("sent", S.SENT, S.SENT)
    assert broken(office.engine) == []


def test_what_twilio_knows_again_is_found_without_anybody_asking(office: Office) -> None:
    lost_by_twilio(office)
    gone = resources_over(office.engine, office.clock, twilio=knows_nothing, **office.variables)
    [one] = parked(office.resources)
    assert look_for_parked(gone, one).outcome == "still left to a person"
    assert office.row().state == S.PARKED
    assert look_for_parked(office.resources, one) == Settled(one.attempt_id, "found", "sent")
    assert (office.row().state, parked(office.resources)) == (S.SENT, [])
    assert broken(office.engine) == []


def lost_by_twilio(office: Office) -> str:
    """The SID of a message that Twilio was to send, and does not know after its time."""
    office.tells()
    [held] = office.attempts()
    assert held.send_at is not None
    assert held.sid is not None
    office.clock.now = held.send_at + 21 * MINUTE
    gone = resources_over(office.engine, office.clock, twilio=knows_nothing, **office.variables)
    with reading(office.engine) as session:
        [silent] = held_too_long(session, office.clock())
    assert confirm(gone, silent).outcome == "parked"
    return held.sid
