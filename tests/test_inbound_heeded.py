"""A person who says STOP is left alone, also by what was about to be said, until they say START."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments.doctor_replies import SHOWN, look
from duebell.errors import ConfigurationError
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.writing import writing
from duebell.preferences import preferring
from duebell.states import NotificationState
from duebell.twilio.inbound import read_inbound
from tests.support_facts import MOBILE, NOW, OURS, keep_contact, open_tenant
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


def writes(office: Office, body: str, sid: str, to: str = OURS.own, who: str = MOBILE) -> None:
    message = read_inbound([("MessageSid", sid), ("From", who), ("To", to), ("Body", body)])
    with writing(office.engine, office.clock.now) as book:
        keep_inbound(book, message, who, OURS)


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
    office.later(days=400)
    assert len(look(office.resources)) == 1, "until it is settled"


def test_doctor_names_the_latest_who_ask_for_an_end_and_counts_the_others_until_those_are_settled(
    office: Office,
) -> None:
    for number in range(SHOWN + 2):
        office.later(days=1)
        writes(office, "please stop texting me", f"SM{number:02}", who=f"+6421123{number:04}")
    *named, counted = look(office.resources)
    assert len(named) == SHOWN
    assert f"SM{SHOWN + 1:02}" in named[0].said
    assert not counted.sound
    assert counted.said.startswith("2 older too (somebody seems to ask for no more messages)")
    for one in (SHOWN, SHOWN + 1):
        preferring.stop(office.resources, f"+6421123{one:04}", "sms", **WHO)
    assert [one.said.startswith("+64") for one in look(office.resources)] == [True] * SHOWN


WHO = {"by": "person:office", "why": "read it"}


def test_doctor_shows_it_until_somebody_settles_it_and_again_when_they_ask_anew(office: Office) -> None:
    writes(office, "please stop texting me", "SM1")
    office.later(minutes=5)
    preferring.stop(office.resources, MOBILE, "sms", **WHO)
    assert look(office.resources) == []
    office.later(minutes=5)
    writes(office, "START", "SM2")
    assert look(office.resources) == []
    office.later(minutes=5)
    writes(office, "no more reminders", "SM3")
    [finding] = look(office.resources)
    assert "SM3" in finding.said


def test_what_asks_for_no_end_after_all_is_settled_by_allowing_the_number(office: Office) -> None:
    writes(office, "Don't stop, I need these", "SM1")
    office.later(minutes=5)
    preferring.allow(office.resources, MOBILE, "sms", **WHO)
    assert look(office.resources) == []
    assert len(office.day()) == 1
    with pytest.raises(ConfigurationError, match="nothing stands against"):
        preferring.allow(office.resources, MOBILE, "sms", **WHO)


def test_a_number_that_never_asked_is_not_allowed_and_nothing_is_noted_of_it(office: Office) -> None:
    with pytest.raises(ConfigurationError, match="nothing stands against"):
        preferring.allow(office.resources, MOBILE, "sms", **WHO)
    assert preferring.show(office.resources, MOBILE, "sms").known == ()


def test_a_customer_in_a_group_of_those_who_want_no_messages_is_left_alone(office: Office) -> None:
    policy = office.resources.settings.policy
    policy.write_text(policy.read_text() + "\n[preferences]\nno_messages_groups = ['No texts']\n")
    keep_contact(office.engine, ContactGroups=[{"Name": "no texts"}], read_at=NOW + DAY)
    office.day()
    assert office.stands() == [("1", "overdue", "skipped", "wants_no_messages")]
    keep_contact(office.engine, read_at=NOW + 2 * DAY)
    office.day()
    assert len(office.phones.to(MOBILE)) == 1
