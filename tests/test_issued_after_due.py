"""An invoice that is told of after its due date was due then: it is not said to be due on a day gone by."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.bidi import without_marks
from duebell.keys import INVOICE_ISSUED
from duebell.policy.reaching import EMAIL, SMS
from duebell.render.message_text import words_of
from duebell.render.rendering import Templates
from duebell.sending.telling import render, tell
from tests.support_facts import MOBILE, keep_contact, numbered, open_tenant
from tests.support_overdue import Office, at, due, office_over, policy_text
from tests.support_words import BARE, DUE, SHIPPED, TYPICAL, tellings

ISSUED = date(2026, 11, 20)  # a Friday
BY_DAY = 'opens = "09:00"\ncloses = "17:00"'
IS_DUE = {
    "en": "is due on 20 Nov 2026",
    "de": "ist am 20. Nov. 2026 fällig",
    "ar": "مستحقة الدفع بتاريخ 20 نوفمبر 2026",
}
WAS_DUE = {
    "en": "was due on 20 Nov 2026",
    "de": "war am 20. Nov. 2026 fällig",
    "ar": "كانت مستحقة الدفع بتاريخ 20 نوفمبر 2026",
}


def said(language: str, days: int, channel: str) -> str:
    """The shipped text about an invoice so many days after it is due."""
    telling = next(tellings(INVOICE_ISSUED, TYPICAL, language))
    late = replace(telling, today=DUE + timedelta(days=days))
    return words_of(Templates(SHIPPED), late, channel).text


@pytest.mark.parametrize("channel", [SMS, EMAIL])
@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_an_invoice_is_due_until_its_day_has_passed_and_was_due_then(language: str, channel: str) -> None:
    for days in (-1, 0):
        text = "".join(map(without_marks, said(language, days, channel)))
        assert WAS_DUE[language] not in text
        if channel == SMS or language == "ar":
            assert IS_DUE[language] in text
    assert WAS_DUE[language] in said(language, 1, channel).translate({0x2068: None, 0x2069: None})


def test_an_invoice_without_a_due_date_has_none_that_has_passed() -> None:
    telling = next(tellings(INVOICE_ISSUED, BARE, "en"))
    assert "has been issued. Thank you." in words_of(Templates(SHIPPED), telling, SMS).text


WORDS = "Kauri Test Limited: invoice INV-0001 for $115.00 was due on 20 Nov 2026. Thank you."


def an_office(engine: Engine, folder: Path, text: str, hour: int, minute: int = 0) -> Office:
    """On the day on which an invoice is approved that is due on receipt."""
    open_tenant(engine)
    keep_contact(engine, read_at=at(ISSUED, hour, minute))
    office = office_over(engine, folder, at(ISSUED, hour, minute), text)
    office.keeps(1, **due(ISSUED, DateString=f"{ISSUED}T00:00:00"))
    return office


def test_what_was_approved_in_the_evening_of_its_due_date_was_due_when_it_is_told_next_morning(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    text = policy_text().replace('opens = "00:00"\ncloses = "00:00"', BY_DAY)
    office = an_office(sqlite_ledger, tmp_path, text, 20)
    office.runs(office.hears(1))
    assert office.phones.heard == []
    office.later(hours=63)  # on Monday at eleven
    office.nets()
    assert office.phones.to(MOBILE) == [WORDS]


def reads_nothing(_tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
    """What was read a minute ago is fresh."""


def test_what_was_put_into_words_before_midnight_is_put_into_others_after_it(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = an_office(sqlite_ledger, tmp_path, policy_text(), 23, 59)
    [claim] = office.claims([numbered(1)], kind=INVOICE_ISSUED)
    assert render(office.resources, claim) is None
    office.later(seconds=60)
    tell(office.resources, claim, reads_nothing, flow_run_id="run 1")
    assert office.phones.to(MOBILE) == [WORDS]
