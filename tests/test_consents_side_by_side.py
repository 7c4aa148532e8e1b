"""A word that comes while Twilio answers to the one before is told all the same, on both databases."""

from datetime import timedelta
from threading import Thread

from sqlalchemy import Engine

from duebell.ledger import consent_lines, wishes
from duebell.ledger.consent_lines import Answer, Owed
from duebell.ledger.engine import reading
from duebell.ledger.writing import writing
from duebell.preferences.mirroring import Consent, Outcome, Source, Wish
from tests.support_facts import MOBILE, NOW

SENDER = "MG" + "1" * 32
SOON = timedelta(seconds=5)


def says(engine: Engine, status: Consent) -> None:
    with writing(engine, NOW) as book:
        wishes.said(book, MOBILE, Wish(status, Source.WORD, NOW))


def being_posted(engine: Engine) -> list[Owed]:
    """The consents that are due are taken for a post."""
    with reading(engine) as session:
        due = consent_lines.due(session, NOW, {SENDER}, 25)
    with writing(engine, NOW) as book:
        return consent_lines.claim(book, due, lambda: "c" * 32)


def is_taken(engine: Engine, owed: list[Owed]) -> None:
    with writing(engine, NOW + SOON) as book:
        consent_lines.settle(book, owed, {one.correlation_id: Answer(Outcome.TAKEN) for one in owed})


def test_a_start_that_is_laid_out_while_the_stop_is_answered_is_still_to_be_told(ledger: Engine) -> None:
    says(ledger, Consent.OPT_OUT)
    with writing(ledger, NOW) as book:
        consent_lines.lay_out(book, [MOBILE], lambda _address, _wish: frozenset({SENDER}), SENDER)
    owed = being_posted(ledger)
    says(ledger, Consent.OPT_IN)
    answer = Thread(target=is_taken, args=(ledger, owed))

    def senders_of(_address: str, _wish: Wish) -> frozenset[str]:
        answer.start()
        answer.join(timeout=1)
        return frozenset({SENDER})

    with writing(ledger, NOW) as book:
        consent_lines.lay_out(book, [MOBILE], senders_of, SENDER)
    answer.join()
    with reading(ledger) as session:
        [line] = consent_lines.of_address(session, MOBILE)
        due = consent_lines.due(session, NOW + SOON, {SENDER}, 25)
    assert (line.status, line.stands, due) == ("opt-in", "owed", [line.line_id])
