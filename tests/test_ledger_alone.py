"""The brake, a wish and reading: they work wherever the ledger can be found, whatever else is at fault."""

from collections.abc import Generator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell.errors import ConfigurationError
from duebell.ledger import preferences
from duebell.ledger.engine import reading
from duebell.ledger.tables import Brake
from duebell.resources import open_ledger_alone
from duebell.sending.telling import rules_of
from duebell.setting_ledger import load_for_ledger
from tests.support_office import Office

NUMBER = "+64211234567"
UNTOUCHED = "paste-the-client-id-here"


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


def is_stopped(office: Office) -> bool:
    with reading(office.engine) as session:
        brake = session.get(Brake, "all")
        return brake is not None and brake.stopped


def words_of(output: str) -> str:
    return " ".join(output.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("XERO_CLIENT_ID", UNTOUCHED),
        ("XERO_API_URL", "http://books.example"),
        ("TWILIO_API_KEY", "SK" + 32 * "0"),
        ("DUEBELL_SENDING", "perhaps"),
        ("DUEBELL_ENCRYPTION_KEYS", "too short"),
    ],
)
def test_sending_is_stopped_whatever_other_setting_is_at_fault(office: Office, name: str, value: str) -> None:
    done = office.run("stop", "--why", "the template is wrong", **{name: value})
    said = words_of(done.output)
    assert (done.exit_code, is_stopped(office)) == (0, True), said
    assert "Sending is stopped in the ledger at" in said
    assert f"- {'TWILIO_API_SECRET' if name == 'TWILIO_API_KEY' else name} " in said
    resumed = office.run("resume", **{name: value})
    assert (resumed.exit_code, is_stopped(office)) == (1, True), "to let go on, all has to be sound"


def test_keys_that_cannot_be_read_stop_nobody_from_stopping(office: Office) -> None:
    (Path(office.environment["DUEBELL_HOME"]) / "keys").write_text("no key\n")
    done = office.run("stop")
    assert (done.exit_code, is_stopped(office)) == (0, True), done.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUEBELL_DATABASE_URL", "sqlite://somewhere"),
        ("DUEBELL_HOME", "paste-the-folder-here"),
        ("DUEBELL_ENV_FILE", "/nowhere/duebell.env"),
    ],
)
def test_a_fault_of_the_ledgers_own_place_is_refused(office: Office, name: str, value: str) -> None:
    done = office.run("stop", **{name: value})
    assert (done.exit_code, is_stopped(office)) == (1, False)
    assert name in done.output
    assert "is stopped" not in done.output


def test_a_slip_that_may_have_named_the_ledger_is_told_beside_what_was_done(
    office: Office, tmp_path: Path
) -> None:
    file = tmp_path / "settings"
    file.write_text(f"DUEBELL_DATABSE_URL={office.environment['DUEBELL_DATABASE_URL']}\n")
    done = office.run("stop", DUEBELL_ENV_FILE=str(file), DUEBELL_DATABASE_URL="")
    assert (done.exit_code, is_stopped(office)) == (1, False)
    assert "Did you mean DUEBELL_DATABASE_URL?" in words_of(done.output)
    file.write_text("a line that is none\nXERO_CLIENT_SECERT=x\n")
    done = office.run("stop", DUEBELL_ENV_FILE=str(file))
    assert (done.exit_code, is_stopped(office)) == (0, True), "where the ledger is named, there is no doubt"


def test_in_doubt_of_the_ledger_an_opt_out_does_not_end_well(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("a line that is none\n")
    done = office.run(
        "preference", "stop", NUMBER, "--why", "asked", DUEBELL_ENV_FILE=str(file), DUEBELL_DATABASE_URL=""
    )
    assert done.exit_code == 1
    assert "Whether it is the one that was meant cannot be told" in words_of(done.output)


def test_a_wish_is_kept_and_the_trail_is_read_while_other_settings_are_at_fault(office: Office) -> None:
    at_fault = {"XERO_CLIENT_ID": UNTOUCHED}
    done = office.run("preference", "stop", NUMBER, "--why", "asked by telephone", **at_fault)
    assert done.exit_code == 0, done.output
    with reading(office.engine) as session:
        assert [one.state for one in preferences.of_address(session, NUMBER)] == ["opted_out"]
    shown = office.run("preference", "show", NUMBER, **at_fault)
    assert shown.exit_code == 0, shown.output
    assert "opted out since" in shown.output
    trail = office.run("audit", **at_fault)
    assert trail.exit_code == 0
    assert "preference opt-out" in trail.output
    assert "XERO_CLIENT_ID" in trail.output


def test_nothing_is_decided_and_nothing_is_asked_by_settings_at_fault(tmp_path: Path) -> None:
    secret = Fernet.generate_key().decode()
    given = {"DUEBELL_HOME": str(tmp_path), "XERO_CLIENT_ID": UNTOUCHED, "XERO_CLIENT_SECRET": secret}
    found = load_for_ledger(given, env_file=None)
    assert secret not in repr(found)
    resources = open_ledger_alone(found.settings, is_faulty=bool(found.faults))
    for ask in (
        lambda: rules_of(resources),
        lambda: resources.policy,
        resources.twilio,
        resources.email,
        resources.identity,
        lambda: resources.vault.seal("token", "1", {}),
        lambda: resources.vault.open("token", "1", "sealed"),
    ):
        with pytest.raises(ConfigurationError):
            ask()
    resources.close()
    assert not (tmp_path / "keys").exists()
