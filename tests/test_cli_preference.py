"""``duebell preference`` as a person gives it: what is settled, what is shown, and what is refused."""

from collections.abc import Generator
from pathlib import Path

import pytest
from sqlmodel import select

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, GroupLine
from duebell.ledger.writing import writing
from tests.support_facts import CONTACT, NOW, TENANT
from tests.support_office import Office

NUMBER = "+64211234567"
GROUP = '[preferences]\nwrite_back_group = "No SMS"\n'


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


def told(office: Office, *words: str, **changes: str) -> str:
    result = office.run("preference", *words, **changes)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_stop_is_settled_shown_and_allowed_again(office: Office, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(GROUP)
    assert told(office, "show", NUMBER) == "Nothing stands against writing to it."
    said = told(office, "stop", NUMBER, "--why", "asked by telephone", DUEBELL_POLICY=str(policy))
    assert "Nothing goes there any more." in said
    assert "Xero shows it soon too." in said
    with writing(office.engine, NOW) as book:
        line = GroupLine(tenant_id=office.tenant().tenant_id, contact_id=CONTACT, group_name="No SMS",
                         address=NUMBER, wanted=True, ours=True, stands="done")  # fmt: skip
        book.session.add(line)
    shown = told(office, "show", NUMBER)
    assert "sms: opted out since" in shown
    assert "asked by telephone" in shown
    assert f"Xero, group No SMS, contact {CONTACT}: is to be a member; done, by Duebell" in shown
    assert "It may be written to again." in told(office, "allow", NUMBER, "--why", "asked for it")
    assert "sms: allowed since" in told(office, "show", NUMBER)
    with reading(office.engine) as session:
        actions = list(session.exec(select(Audit.action)).all())
    assert {"preference opt-out", "preference opt-in"} <= set(actions)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", 'goes on, where the policy has "email" among the channels (stop_ends = "sms"'),
        ('stop_ends = "everything"\n', 'has ended too (stop_ends = "everything" in the policy).'),
        (
            f'[tenant."{TENANT}".preferences]\nstop_ends = "everything"\n',
            "as stop_ends in the policy says, for each organisation by itself.",
        ),
    ],
)
def test_it_is_shown_what_a_stop_ends_beside_sms(
    office: Office, tmp_path: Path, lines: str, says: str
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f"[preferences]\n{lines}")
    told(office, "stop", NUMBER, "--why", "asked by telephone")
    shown = told(office, "show", NUMBER, DUEBELL_POLICY=str(policy))
    assert "sms: opted out since" in shown
    assert f"Email to that customer {says}" in shown or f"Email to that customer: {says}" in shown
    told(office, "allow", NUMBER, "--why", "asked for it")
    assert "Email to that customer" not in told(office, "show", NUMBER, DUEBELL_POLICY=str(policy))


def test_without_a_reason_and_for_what_is_no_number_nothing_is_settled(office: Office) -> None:
    assert office.run("preference", "stop", NUMBER).exit_code != 0
    assert office.run("preference", "stop", NUMBER, "--why", " ").exit_code != 0
    assert office.run("preference", "stop", "12", "--why", "asked").exit_code != 0
    assert told(office, "show", NUMBER) == "Nothing stands against writing to it."


def test_an_address_that_is_neither_a_number_nor_an_email_address_is_refused_with_both(
    office: Office,
) -> None:
    done = office.run("preference", "show", "ana.example")
    assert done.exit_code == 1
    assert "neither a phone number (+ and the country code" in done.output
    assert "nor an email address" in " ".join(done.output.split())


@pytest.mark.parametrize("provider", ["twilio", "sendgrid"])
def test_of_an_email_address_it_is_not_said_that_twilio_or_xero_hears_of_it(
    office: Office, tmp_path: Path, provider: str
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{GROUP}mirror_to_twilio = true\n")
    settings = {"DUEBELL_POLICY": str(policy), "EMAIL_PROVIDER": provider, "SENDGRID_API_KEY": "SG.a.b"}
    said = told(office, "stop", "ana@rimu.example", "--why", "asked by telephone", **settings)
    assert said == "Nothing goes there any more."
    said = told(office, "allow", "ana@rimu.example", "--why", "asked for it", **settings)
    assert said.startswith("It may be written to again.")
    assert ("SendGrid's suppressions" in said) is (provider == "sendgrid")
    assert "Xero" not in said
    assert "Twilio" not in said


BROKEN = "[preferences\n"


def test_a_stop_stands_though_the_policy_has_a_mistake(office: Office, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(BROKEN)
    said = told(office, "stop", NUMBER, "--why", "asked by telephone", DUEBELL_POLICY=str(policy))
    assert said.startswith("Nothing goes there any more.")
    assert "is so when its turn comes" in said
    assert "policy.toml cannot be understood" in said
    assert "sms: opted out since" in told(office, "show", NUMBER)


def test_what_stands_is_shown_to_its_end_though_the_policy_has_a_mistake(
    office: Office, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(BROKEN)
    told(office, "stop", NUMBER, "--why", "asked by telephone")
    with writing(office.engine, NOW) as book:
        line = GroupLine(tenant_id=office.tenant().tenant_id, contact_id=CONTACT, group_name="No SMS",
                         address=NUMBER, wanted=True, ours=True, stands="done")  # fmt: skip
        book.session.add(line)
    shown = told(office, "show", NUMBER, DUEBELL_POLICY=str(policy))
    assert "What becomes of email to that customer cannot be told: policy.toml cannot be understood" in shown
    assert f"Xero, group No SMS, contact {CONTACT}: is to be a member" in shown


def test_nobody_is_allowed_again_by_a_policy_with_a_mistake(office: Office, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(BROKEN)
    told(office, "stop", NUMBER, "--why", "asked by telephone")
    refused = office.run("preference", "allow", NUMBER, "--why", "asked for it", DUEBELL_POLICY=str(policy))
    assert refused.exit_code == 1
    assert "policy.toml cannot be understood" in " ".join(refused.output.split())
    assert "sms: opted out since" in told(office, "show", NUMBER)
