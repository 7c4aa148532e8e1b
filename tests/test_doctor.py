"""What doctor finds, what it asks for, and that no secret is in what it prints."""

import shutil
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlmodel import update

from deployments import doctor
from deployments.children import ROOT
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell.ledger import trail
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification, Tenant
from duebell.safekeeping.journal import Journal, Posted
from tests.support_facts import CONTACT, INVOICE, sent_off
from tests.support_office import Office, spoilt

CANARY = "canary7Qv9secretXk2"
SECRETS = {
    "XERO_CLIENT_SECRET": CANARY,
    "XERO_WEBHOOK_KEYS": f"{CANARY}AAAA,{CANARY}BBBB",
    "TWILIO_AUTH_TOKEN": CANARY,
    "TWILIO_API_SECRET": CANARY,
    "SENDGRID_API_KEY": f"SG.{CANARY}",
    "DUEBELL_DATABASE_URL": f"postgresql+psycopg://me:{CANARY}@127.0.0.1:1/duebell",
    "DUEBELL_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
}


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


def unwrapped(output: str) -> str:
    """The words in one line, however the terminal broke them."""
    return " ".join(output.split())


def test_a_sound_installation_has_nothing_to_mend(office: Office) -> None:
    done = office.run("doctor")
    assert done.exit_code == 0, done.output
    assert "Nothing to mend" in done.output
    told = unwrapped(done.output)
    assert f"Moa Bay Bakery Supplies ({credentials.TENANT_ID}) is connected, its sending is review" in told
    assert f"account {credentials.TWILIO_ACCOUNT_SID} is active" in told


def test_it_asks_xero_for_the_organisation_and_twilio_for_the_account_once(office: Office) -> None:
    before = len(office.sandbox.requests())
    office.run("doctor")
    asked = [(one.method, one.path) for one in office.sandbox.requests()[before:]]
    assert asked == [
        ("GET", f"/2010-04-01/Accounts/{credentials.TWILIO_ACCOUNT_SID}.json"),
        ("GET", "/api.xro/2.0/Organisation"),
    ]


def test_every_setting_is_told_with_where_it_came_from(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("TWILIO_FROM=+15005550006\n")
    output = office.run("doctor", DUEBELL_ENV_FILE=str(file), TWILIO_FROM="").output
    lines = {line.split()[0]: line for line in output.splitlines() if line}
    assert "environment" in lines["XERO_CLIENT_ID"]
    assert ".env file" in lines["TWILIO_FROM"]
    assert "default" in lines["DUEBELL_SENDING"]


@pytest.mark.parametrize(
    ("missing", "where"),
    [
        ("XERO_CLIENT_ID", "developer.xero.com"),
        ("XERO_CLIENT_SECRET", "developer.xero.com"),
        ("XERO_WEBHOOK_KEYS", "developer.xero.com"),
        ("TWILIO_ACCOUNT_SID", "console.twilio.com"),
        ("TWILIO_AUTH_TOKEN", "console.twilio.com"),
    ],
)
def test_a_missing_setting_is_named_with_where_to_find_it(office: Office, missing: str, where: str) -> None:
    done = office.run("doctor", **{missing: ""})
    told = unwrapped(done.output)
    assert done.exit_code == 1
    assert f"mend {missing}: is unset" in told or f"mend {missing}: (or" in told
    assert where in told


@pytest.mark.parametrize("missing", ["SENDGRID_API_KEY", "SENDGRID_WEBHOOK_KEYS"])
def test_what_email_lacks_is_named_where_email_is_on(office: Office, missing: str) -> None:
    by_sendgrid = {
        "EMAIL_PROVIDER": "sendgrid",
        "SENDGRID_API_KEY": credentials.SENDGRID_API_KEY,
        "SENDGRID_WEBHOOK_KEYS": credentials.SENDGRID_WEBHOOK_KEY,
        missing: "",
    }
    assert office.run("doctor", **by_sendgrid).exit_code == 0
    done = office.run("doctor", EMAIL_FROM="accounts@kauri.example", **by_sendgrid)
    told = unwrapped(done.output)
    assert done.exit_code == 1
    assert f"mend {missing}: is unset" in told
    assert "app.sendgrid.com" in told


def test_several_mistakes_are_told_at_once(office: Office) -> None:
    done = office.run("doctor", XERO_WEBHOOK_KEYS="", TWILIO_ACCOUNT_SID="AC12", DUEBELL_LISTEN="here")
    told = unwrapped(done.output)
    assert done.exit_code == 1
    for name in ("XERO_WEBHOOK_KEYS", "TWILIO_ACCOUNT_SID", "DUEBELL_LISTEN"):
        assert f"mend {name}:" in told


def test_credentials_that_a_provider_refuses_are_to_be_mended(office: Office) -> None:
    done = office.run("doctor", TWILIO_AUTH_TOKEN="another-token-than-the-right-one")
    assert done.exit_code == 1
    assert "mend Twilio: " in unwrapped(done.output)
    office.sandbox.expire_tokens()
    done = office.run("doctor", XERO_CLIENT_SECRET="another-secret-than-the-right-one")
    assert done.exit_code == 1
    assert "mend Xero: " in unwrapped(done.output)


def test_a_stopped_installation_is_not_called_sound(office: Office) -> None:
    office.run("stop")
    done = office.run("doctor")
    assert done.exit_code == 1
    assert "duebell resume" in unwrapped(done.output)


def test_an_installation_that_was_never_connected_is_told_how(office: Office, tmp_path: Path) -> None:
    done = office.run("doctor", DUEBELL_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}")
    assert done.exit_code == 1
    assert "no organisation is connected" in unwrapped(done.output)


def test_a_first_read_that_was_cut_off_is_told_with_its_mend(office: Office) -> None:
    """Until it is done no event of the organisation is handled, and nothing but a person goes on with it."""
    with office.engine.begin() as connection:
        connection.execute(update(Tenant).values(synced_at=None))
    done = office.run("doctor")
    assert done.exit_code == 1
    told = unwrapped(done.output)
    assert "was never read whole" in told
    assert "`duebell connect`" in told
    assert "does so within five minutes" not in told
    assert office.run("connect").exit_code == 0
    assert office.run("doctor").exit_code == 0


def test_a_public_address_that_nobody_outside_reaches_is_told(office: Office) -> None:
    done = office.run(
        "doctor", DUEBELL_PUBLIC_URL="http://localhost:8787", XERO_API_URL="https://xero.invalid"
    )
    assert "DUEBELL_PUBLIC_URL" in unwrapped(done.output)
    assert done.exit_code == 1


def test_another_program_on_prefects_port_is_told(office: Office) -> None:
    done = office.run("doctor", PREFECT_API_URL=f"{office.sandbox.base_url}/api")
    assert done.exit_code == 1
    assert "something else listens there" in unwrapped(done.output)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("damage", ["", " in two"])
def test_a_secret_is_never_printed_whole_or_in_part(office: Office, name: str, damage: str) -> None:
    secret = SECRETS[name]
    done = office.run("doctor", **{name: secret + damage})
    squeezed = "".join(done.output.split())
    for piece in (CANARY, CANARY[:6], CANARY[-6:], secret, secret[-8:]):
        if name != "DUEBELL_DATABASE_URL" or piece in CANARY:
            assert piece not in squeezed
    assert "Traceback" not in done.output


def test_the_secrets_of_a_settings_file_are_not_printed(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(f"TWILIO_AUTH_TOKN={CANARY}\n{CANARY}\nTWILIO_API_KEY={CANARY}\n")
    done = office.run("doctor", DUEBELL_ENV_FILE=str(file))
    assert done.exit_code == 1
    assert CANARY not in "".join(done.output.split())
    assert "TWILIO_AUTH_TOKN" in done.output


@pytest.mark.parametrize(
    "part",
    [
        "invoice_issued/en/sms.txt",
        "invoice_overdue/de/sms.txt",
        "invoice_overdue_team/en/sms.txt",
        "invoice_overdue/ar/body.txt",
    ],
)
def test_a_template_that_cannot_be_said_is_named_whatever_kind_it_is_of(
    office: Office, tmp_path: Path, part: str
) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(ROOT / "deployments" / "templates", folder)
    (folder / part).write_text("{{ organisation.__class__ }}")
    done = office.run("doctor", DUEBELL_TEMPLATES=str(folder), EMAIL_FROM="accounts@kauri.example")
    assert done.exit_code == 1
    assert f"mend words: {part} line 1" in unwrapped(done.output)


def test_the_templates_of_email_are_nobodys_concern_while_it_is_off(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(ROOT / "deployments" / "templates", folder)
    (folder / "invoice_overdue" / "en" / "body.txt").unlink()
    assert office.run("doctor", DUEBELL_TEMPLATES=str(folder)).exit_code == 0


def test_each_kind_of_message_is_said_to_be_on_or_off(office: Office) -> None:
    told = unwrapped(office.run("doctor").output)
    assert "invoice issued is on, payment received is on, invoice overdue is on" in told


def test_a_journal_that_cannot_be_read_hides_nothing_else(office: Office) -> None:
    home = Path(office.environment["DUEBELL_HOME"])
    (home / "journal" / "here-2026-11-20.jsonl").mkdir(parents=True)
    office.run("stop", "--why", "a test")
    done = office.run("doctor")
    assert done.exit_code == 1
    told = unwrapped(done.output)
    assert f"the side journal in {home / 'journal'} cannot be read" in told
    assert "because a test" in told
    assert "2 to mend" in told


def test_a_ledger_that_was_set_back_is_told_with_its_reason_until_a_person_resumes(office: Office) -> None:
    with reading(office.engine) as session:
        origin = trail.origin(session)
    key = f"{credentials.TENANT_ID}:invoice_issued:{INVOICE}::contact:{CONTACT}"
    journal = Journal(Path(office.environment["DUEBELL_HOME"]) / "journal", "here")
    journal.begun(origin, Posted("a1", 1, datetime.now(UTC), "sms", ((key, INVOICE),)))
    done = office.run("doctor")
    told = unwrapped(done.output)
    assert done.exit_code == 1
    assert "side journal: knows of 1 messages that the ledger had lost: sending is stopped" in told
    assert "by journal, because the ledger was set back: it did not know of 1" in told
    assert office.run("resume").exit_code == 0
    told = unwrapped(office.run("doctor").output)
    assert "brake: off" in told
    assert "messages whose outcome is still looked for: 1, the oldest for" in told


def test_what_does_not_hold_in_the_ledger_is_told_with_its_ids(office: Office) -> None:
    told = unwrapped(office.run("doctor").output)
    assert "messages in the ledger: all that must hold of them holds" in told
    sent_off(office.engine)
    with office.engine.begin() as connection:
        connection.execute(update(Notification).values(lease_until=None))
    done = office.run("doctor")
    assert done.exit_code == 1
    assert (
        "mend messages in the ledger: I4: notification 1: it is sending without a lease: `duebell stop`"
        in unwrapped(done.output)
    )


def test_an_organisation_with_lines_of_its_own_is_judged_by_them(office: Office, tmp_path: Path) -> None:
    """Else customers are chased by Xero and by us, and nobody hears of it."""
    own = f'[tenant."{credentials.TENANT_ID}".invoice_overdue]\nenabled = true\n'
    (tmp_path / "policy.toml").write_text(f"[invoice_overdue]\nenabled = false\n{own}")
    with office.engine.begin() as connection:
        connection.execute(update(Tenant).values(xero_reminders=True))
    done = office.run("doctor", DUEBELL_POLICY=str(tmp_path / "policy.toml"))
    told = unwrapped(done.output)
    assert done.exit_code == 1
    assert "ok policy: invoice issued is on, payment received is on, invoice overdue is off" in told
    assert "ok policy of Moa Bay Bakery Supplies: invoice issued is on" in told
    assert "mend Xero's own reminders of Moa Bay Bakery Supplies: are on" in told


def test_a_ledger_that_fails_while_doctor_looks_is_told_and_hides_nothing_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a server that goes away: that is when doctor is asked."""
    monkeypatch.setattr(doctor, "open_resources", spoilt)
    done = office.run("doctor")
    told = unwrapped(done.output)
    assert done.exit_code == 1
    assert "mend ledger: the ledger failed: its file is no SQLite database" in told
    assert "DUEBELL_DATABASE_URL" in told
    assert f"account {credentials.TWILIO_ACCOUNT_SID} is active" in told


def test_a_mistake_of_the_policy_is_told_and_counted_once(office: Office, tmp_path: Path) -> None:
    policy = tmp_path / "bad.toml"
    policy.write_text("[invoice_overdue\n")
    done = office.run("doctor", DUEBELL_POLICY=str(policy))
    told = unwrapped(done.output)
    assert done.exit_code == 1
    assert told.count("bad.toml cannot be understood") == 1
    assert "mend policy: bad.toml cannot be understood" in told
    assert "- held messages: is looked at once the policy is mended" in told
    assert "1 to mend." in told
