"""Senders: what the policy names is checked, used and written down, and never a name where none goes."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.deciding.senders import mirrored_senders, sender_for, sender_of
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Leg
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy.rules import NO_RULE, Route
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import SendingPolicy
from duebell.sender_shapes import SenderKind, kind_of
from duebell.sending.testing_message import send_test
from duebell.settings import load
from tests.support_facts import ENVIRONMENT, MOBILE, TENANT, Hand, numbered, resources_over
from tests.support_overdue import due, policy_text
from tests.test_policy_file_nested import refused
from tests.test_reminders_words import DUE, opened, rule
from tests.test_validity import Twilio

SERVICE, OWN = "MG" + "0a" * 16, ENVIRONMENT["TWILIO_FROM"]
AUCKLAND, NEW_YORK, TORONTO, JAMAICA = "+64211234567", "+12125550123", "+14165550123", "+18765550123"


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("+6421123456", SenderKind.NUMBER),
        ("12345", SenderKind.NUMBER),
        (SERVICE, SenderKind.SERVICE),
        ("AcmeBooks", SenderKind.NAME),
        ("Acme & Co", SenderKind.NAME),
        ("A234567890B", SenderKind.NAME),
        ("A234567890BC", None),
        ("021123456", None),
        ("+0211", None),
        ("Kāuri", None),
        ("123 456", None),
        ("", None),
        ("MG123", SenderKind.NAME),
    ],
)
def test_what_a_sender_is(sender: str, kind: SenderKind | None) -> None:
    assert kind_of(sender) is kind


def policy_with(sender: str = "", email_sender: str = "") -> Policy:
    return Policy(sending=SendingPolicy(sender=sender, email_sender=email_sender))


@pytest.mark.parametrize(
    ("policy", "route", "channel", "address", "sender"),
    [
        (Policy(), NO_RULE, SMS, AUCKLAND, ""),
        (policy_with("AcmeBooks"), NO_RULE, SMS, AUCKLAND, "AcmeBooks"),
        (policy_with("AcmeBooks"), Route(sender="+6421123456"), SMS, AUCKLAND, "+6421123456"),
        (policy_with("AcmeBooks"), Route(sender=""), SMS, AUCKLAND, ""),
        (policy_with("AcmeBooks"), NO_RULE, SMS, NEW_YORK, ""),
        (policy_with(), Route(sender="AcmeBooks"), SMS, TORONTO, ""),
        (policy_with(), Route(sender="AcmeBooks"), SMS, JAMAICA, "AcmeBooks"),
        (policy_with("AcmeBooks"), Route(sender=SERVICE), SMS, NEW_YORK, SERVICE),
        (policy_with("AcmeBooks"), NO_RULE, EMAIL, "a@b.example", ""),
        (policy_with(email_sender="a@kauri.example"), NO_RULE, EMAIL, "a@b.example", "a@kauri.example"),
        (policy_with(), Route(email_sender="b@kauri.example"), EMAIL, "a@b.example", "b@kauri.example"),
    ],
)
def test_the_rules_sender_goes_before_the_policys_and_that_before_our_own(
    policy: Policy, route: Route, channel: str, address: str, sender: str
) -> None:
    assert sender_for(policy, route, channel, address) == sender


def test_our_own_sender_is_that_of_the_settings() -> None:
    variables = ENVIRONMENT | {"EMAIL_FROM": "accounts@kauri.example"}
    settings = load(variables, env_file=None)
    assert sender_of(settings, SMS) == ENVIRONMENT["TWILIO_FROM"]
    service = variables | {"TWILIO_FROM": "", "TWILIO_MESSAGING_SERVICE_SID": SERVICE}
    assert sender_of(load(service, env_file=None), SMS) == SERVICE
    assert sender_of(settings, EMAIL) == "accounts@kauri.example"
    assert sender_of(settings, SMS, "AcmeBooks") == "AcmeBooks"


@pytest.mark.parametrize(
    ("sending", "rules", "mirrored"),
    [
        ("AcmeBooks", [], {OWN}),
        (SERVICE, [], {SERVICE}),
        (SERVICE, [{"then": {"sender": "AcmeBooks"}}], {SERVICE, OWN}),
        (SERVICE, [{"then": {"sender": SERVICE}}], {SERVICE}),
    ],
)
def test_our_own_sender_is_told_what_people_want_wherever_a_name_is_a_sender(
    sending: str, rules: list[dict[str, object]], mirrored: set[str]
) -> None:
    policy = Policy.model_validate({"sending": {"sender": sending}, "rule": rules})
    settings = load(ENVIRONMENT, env_file=None)
    assert sender_of(settings, SMS, sender_for(policy, NO_RULE, SMS, NEW_YORK)) in mirrored
    assert mirrored_senders(policy, settings) == mirrored


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[sending]\nsender = "021 123"', "line 2: [sending] sender must be in quotes: a number with +"),
        ('[sending]\nemail_sender = "nobody"', "line 2: [sending] email_sender must be an email address"),
        (
            '[[rule]]\nwhen = { country = ["NZ", "US"] }\nthen = { sender = "AcmeBooks" }',
            "line 3: [[rule]] (1) then.sender is a name, and under a name nobody can write to US",
        ),
        (
            '[[rule]]\nthen = { sender = "AcmeBooks", channels = ["email"] }',
            'line 2: [[rule]] (1) then.sender is of no use: the channels of this rule leave out "sms"',
        ),
        ('[[rule]]\nthen = { silence = true, sender = "AcmeBooks" }', "line 2: [[rule]] (1) then must say"),
        (
            f'[tenant."{TENANT}".sending]\nsender = "much-too-long-a-name"',
            f"line 2: [tenant.{TENANT}.sending] sender must be in quotes",
        ),
    ],
)
def test_a_sender_that_cannot_be_is_named_with_its_line(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_rules_sender_goes_to_twilio_and_stands_in_the_leg_and_the_audit_trail(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 1, rule('sender = "AcmeBooks"'))
    office.keeps(1, **due(DUE))
    office.day()
    assert [to for to, _ in office.phones.heard] == [MOBILE]
    assert office.phones.came_from == ["AcmeBooks"]
    with reading(office.engine) as session:
        assert [leg.sender for leg in session.exec(select(Leg)).all()] == ["AcmeBooks"]
        begun = session.exec(select(Audit.details).where(Audit.action == "attempt begun")).one()
    assert json.loads(begun)["sender"] == "AcmeBooks"


KAURI = """
[[rule]]
when = { reference = "KAURI*" }
then = { sender = "Kauri Shop" }
"""
RIMU = """
[[rule]]
when = { reference = "RIMU*" }
then = { sender = "Rimu Shop", language = "de" }
"""


def test_each_brand_reminds_of_its_own_invoices_and_keeps_its_distance_from_the_others(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 1, policy_text(rest=f"{KAURI}{RIMU}"))
    for number, reference in [(1, "KAURI 1"), (2, "RIMU 1"), (3, "KAURI 2"), (4, "RIMU 2")]:
        office.keeps(number, **due(DUE, Reference=reference))
    office.day()
    assert office.phones.came_from == ["Kauri Shop"]
    for _ in range(3):
        assert office.phones.came_from == ["Kauri Shop"]
        office.later(days=1)
        office.day()
    assert office.phones.came_from == ["Kauri Shop", "Rimu Shop"]
    kauris, rimus = office.phones.to(MOBILE)
    assert "2 invoices are overdue, $230.00 in all: INV-0001, INV-0003." in kauris
    assert "2 Rechnungen sind überfällig, zusammen 230,00 NZ$: INV-0002, INV-0004." in rimus


def test_what_turns_out_to_be_another_brands_leaves_the_message_at_the_last_look(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    rest = f"[limits]\nreminders_a_day = 9\n{RIMU}"
    office = opened(sqlite_ledger, tmp_path, 1, policy_text("gap_days = 0", rest=rest))
    office.keeps(1, 2, 3, **due(DUE))
    [claim] = office.claims([numbered(1), numbered(2), numbered(3)])
    office.keeps(2, **due(DUE, Reference="RIMU 1"))
    office.says(claim)
    assert [state for *_, state, _ in office.stands()] == ["accepted", "planned", "accepted"]
    office.nets()
    assert office.phones.came_from[1:] == ["Rimu Shop"]
    own, rimus = office.phones.to(MOBILE)
    assert "INV-0001, INV-0003" in own
    assert "INV-0002" in rimus


@pytest.mark.parametrize(
    ("sender", "field", "value"),
    [
        ("AcmeBooks", "From", "AcmeBooks"),
        (SERVICE, "MessagingServiceSid", SERVICE),
        ("", "From", ENVIRONMENT["TWILIO_FROM"]),
    ],
)
def test_a_test_message_comes_from_the_sender_that_the_policy_names(
    sqlite_ledger: Engine, tmp_path: Path, sender: str, field: str, value: str
) -> None:
    (tmp_path / "policy.toml").write_text(f'[sending]\nsender = "{sender}"\n')
    twilio = Twilio()
    resources = resources_over(
        sqlite_ledger, Hand(), twilio=twilio, DUEBELL_POLICY=str(tmp_path / "policy.toml")
    )
    send_test(resources, MOBILE, by="test")
    assert [(form.get("From"), form.get("MessagingServiceSid")) for form in twilio.forms] == [
        ([value], None) if field == "From" else (None, [value])
    ]
