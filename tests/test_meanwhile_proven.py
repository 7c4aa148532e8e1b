"""Two receipts of one message at once: the second concludes what the first has made of it."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.evidence import conclude
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt
from duebell.ledger.told_together import rest_on_it
from duebell.ledger.writing import writing
from duebell.states import AttemptState, NotificationState
from tests.support_facts import keep_contact, open_tenant, receipt
from tests.support_meanwhile import meanwhile
from tests.support_overdue import Office, at, due, office_over, policy_text

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
BOTH = 'gap_days = 0\nchannels = ["sms", "email"]\nfall_back = "at_once"\n'
LIMITS = "[limits]\nreminders_a_day = 9\nreminders_a_week = 9\n"
EMAIL = "rimu@example.com"


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """A business of whose second message, of the invoices 1 and 3, nobody knows. The first, of 1 and 2, for
    which Twilio had no capacity, arrived after all.
    """
    open_tenant(ledger)
    keep_contact(ledger, read_at=at(DUE - 30 * DAY), EmailAddress=EMAIL)
    text = policy_text(BOTH, rest=LIMITS)
    office = office_over(ledger, tmp_path, at(DUE + DAY), text, email_from="us@example.com")
    office.phones.answer = 429
    office.keeps(1, 2, **due(DUE))
    office.day()
    office.keeps(2, **due(DUE, Status="PAID", AmountDue=0))
    office.keeps(3, **due(DUE))
    office.phones.answer = 500
    office.sweeps()
    office.later(minutes=20)
    office.nets()
    arrives(office, 0, 77, "delivered")()
    return office


def attempts(office: Office) -> list[Attempt]:
    with reading(office.engine) as session:
        return list(session.exec(select(Attempt).order_by(col(Attempt.started_at))).all())


def arrives(office: Office, which: int, number: int, word: str) -> Callable[[], object]:
    """A receipt of one of the messages."""
    news = receipt(word, number, attempt_id=attempts(office)[which].attempt_id)
    return lambda: keep_receipt(office.engine, news, now=office.clock.now)


def at_the_same_time(
    monkeypatch: pytest.MonkeyPatch, second: Callable[[], object], first: Callable[[], object]
) -> None:
    """The second comes when the first has moved the message to whom it alone told, and is at work still."""
    others: list[Thread] = []

    def rest(*given: object) -> object:
        heir = rest_on_it(*given)  # type: ignore[arg-type]  # as it was given
        if heir is not None:
            others.append(meanwhile(second))
        return heir

    monkeypatch.setattr("duebell.ledger.told_together.rest_on_it", rest)
    first()
    [other] = others
    other.join()


def states(office: Office) -> dict[str, str]:
    assert broken(office.engine) == []
    return {number: state for number, _, state, _ in office.stands()}


def only_beside_others(office: Office) -> None:
    if office.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")


def test_a_receipt_beside_the_one_that_moves_its_message_to_another_is_that_ones(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_beside_others(office)
    at_the_same_time(
        monkeypatch, arrives(office, -1, 78, "delivered"), arrives(office, -1, 78, "undelivered")
    )
    assert states(office)["3"] == "delivered"
    office.later(days=2)
    office.nets()
    assert office.phones.heard == []


def test_a_receipt_that_comes_while_its_message_is_given_up_looking_for_is_heard(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_beside_others(office)
    last = attempts(office)[-1].attempt_id

    def parks() -> None:
        with writing(office.engine, office.clock.now) as book:
            why = Conclusion(
                AttemptState.PARKED, NotificationState.PARKED, reason="no_evidence", settled_by="settle"
            )
            conclude(book, last, why)

    at_the_same_time(monkeypatch, arrives(office, -1, 78, "delivered"), parks)
    assert states(office)["3"] == "delivered"
