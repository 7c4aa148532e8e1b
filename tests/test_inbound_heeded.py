"""A person who says STOP is left alone, also by what was about to be said, until they say START."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments.doctor_replies import look
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.writing import writing
from duebell.states import NotificationState
from duebell.twilio.inbound import read_inbound
from tests.support_facts import MOBILE, NOW, keep_contact, open_tenant
from tests.support_overdue import Office, at, due, office_over

S = NotificationState
DUE = date(2026, 11, 2)
DAY = timedelta(days=1)


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    open_tenant(ledger)
    keep_contact(ledger)
    office = office_over(ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, **due(DUE))
    return office


def writes(office: Office, body: str, sid: str) -> None:
    message = read_inbound([("MessageSid", sid), ("From", MOBILE), ("Body", body)])
    with writing(office.engine, office.clock.now) as book:
        keep_inbound(book, message, MOBILE)


def test_f058_who_opts_out_between_the_plan_and_the_message_is_not_told(office: Office) -> None:
    claims = office.claims(office.sweeps().runs[0].record_ids)
    writes(office, "STOP", "SM1")
    assert [(said.state, said.reason) for said in map(office.says, claims)] == [(S.SKIPPED, "opted_out")]
    assert office.phones.heard == []
    writes(office, "START", "SM2")
    office.day()
    assert len(office.phones.to(MOBILE)) == 1


def test_doctor_shows_who_asks_for_an_end_in_other_words_and_not_their_number(office: Office) -> None:
    writes(office, "please stop texting me", "SM1")
    [finding] = look(office.resources)
    assert not finding.sound
    assert "SM1" in finding.said
    assert MOBILE not in finding.said
    office.later(days=15)
    assert look(office.resources) == []


def test_a_customer_in_a_group_of_those_who_want_no_messages_is_left_alone(office: Office) -> None:
    policy = office.resources.settings.policy
    policy.write_text(policy.read_text() + "\n[preferences]\nno_messages_groups = ['No texts']\n")
    keep_contact(office.engine, ContactGroups=[{"Name": "no texts"}], read_at=NOW + DAY)
    office.day()
    assert office.stands() == [("1", "overdue", "skipped", "wants_no_messages")]
    keep_contact(office.engine, read_at=NOW + 2 * DAY)
    office.day()
    assert len(office.phones.to(MOBILE)) == 1
