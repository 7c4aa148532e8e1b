"""An email address from which everything comes back is invalid; Twilio's Email API tells no cause."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.preferences import refusals
from duebell.ledger.receipts import apply
from duebell.ledger.writing import writing
from duebell.policy.reaching import Way
from duebell.policy.verdict import Send
from duebell.showing.reporting import in_words
from duebell.states import AttemptState, NotificationState
from tests.support_facts import MOBILE, NOW, begin, claim, conclude, open_tenant, plan, the_notification

S = NotificationState
DAY = timedelta(days=1)
DEAD = "Dead@rimu.example"


def came_to(
    engine: Engine, number: int, word: str, at: datetime, address: str = DEAD, *, others: tuple[Way, ...] = ()
) -> None:
    """The ``number``-th email was posted at this time, and Twilio calls it so two hours later."""
    row = plan(engine, number, Send(address, channel="email", others=others), now=at)
    claimed = claim(engine, row.notification_id or 0, now=at)
    assert claimed is not None
    assert begin(engine, claimed, f"a{number}", now=at) is not None
    sid = f"comms_operation_{number:026}"
    taken = Conclusion(AttemptState.ACCEPTED, S.ACCEPTED, sid=sid, provider_status="accepted")
    conclude(engine, taken, f"a{number}", now=at)
    with writing(engine, at + timedelta(hours=2)) as book:
        apply(book, f"a{number}", sid, word, None, "twilio's record")


def refused(engine: Engine) -> dict[str, str]:
    with reading(engine) as session:
        return refusals(session, [DEAD], "email")


@pytest.mark.parametrize("word", ["undelivered", "failed"])
def test_an_email_that_twilio_could_not_deliver_says_so(ledger: Engine, word: str) -> None:
    open_tenant(ledger)
    came_to(ledger, 1, word, NOW)
    row = the_notification(ledger)
    assert (row.state, row.reason) == (word, f"email:{word}")
    assert in_words(row.reason).startswith("Twilio")
    came_to(ledger, 2, word, NOW, others=(Way("sms", MOBILE),))
    row = the_notification(ledger, 2)
    assert (row.state, row.reason) == (S.PLANNED, f"next_channel:email:{word}")


def test_an_address_from_which_three_came_back_over_three_days_is_not_written_to(ledger: Engine) -> None:
    open_tenant(ledger)
    came_to(ledger, 1, "undelivered", NOW)
    came_to(ledger, 2, "undelivered", NOW + 2 * DAY, DEAD.lower())
    came_to(ledger, 3, "undelivered", NOW + 2.9 * DAY)
    assert refused(ledger) == {}
    came_to(ledger, 4, "undelivered", NOW + 3 * DAY)
    assert refused(ledger) == {DEAD: "invalid"}


def test_two_that_came_back_however_far_apart_prove_nothing_and_neither_do_unsent_ones(
    ledger: Engine,
) -> None:
    open_tenant(ledger)
    for number, word in enumerate(("undelivered", "failed", "failed", "failed", "undelivered"), start=1):
        came_to(ledger, number, word, NOW + number * 2 * DAY)
    assert refused(ledger) == {}


@pytest.mark.parametrize("word", ["delivered", "opened"])
def test_an_email_that_arrived_in_between_says_that_the_address_is_good(ledger: Engine, word: str) -> None:
    open_tenant(ledger)
    for number, one in enumerate(("undelivered", "undelivered", word, "undelivered", "undelivered"), start=1):
        came_to(ledger, number, one, NOW + number * 2 * DAY)
    assert refused(ledger) == {}
