"""The `.env` file, its example, and the settings as a person is shown them."""

from pathlib import Path

import pytest

from deployments.up import for_children
from duebell.errors import ConfigurationError
from duebell.settings import VARIABLES, Sending, Use, describe, load

ROOT = Path(__file__).resolve().parents[1]
SID = "0123456789abcdef" * 2


def refused(env_file: Path, *uses: Use) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load({}, env_file, uses)
    return str(caught.value)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("XERO_CLIENT_ID=from-file\nDUEBELL_SENDING=review\n")
    settings = load({"XERO_CLIENT_ID": "from-shell", "DUEBELL_SENDING": "  "}, file)
    assert settings.xero_client_id == "from-shell"
    assert settings.sending is Sending.REVIEW, "a variable that is set to nothing is unset"


def test_a_dollar_sign_in_the_file_is_a_dollar_sign(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("XERO_CLIENT_SECRET='a${HOME}b'\n")
    assert load({}, file).xero_client_secret.get_secret_value() == "a${HOME}b"


def test_a_misspelt_variable_of_the_file_is_named_with_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("XERO_CLIENT_SECERT=abc\nOTHER=1\n")
    text = refused(file)
    assert "XERO_CLIENT_SECERT" in text
    assert "Did you mean XERO_CLIENT_SECRET?" in text
    assert "OTHER" not in text


def test_a_line_without_an_equals_sign_is_named_by_its_number_only(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("\nXERO_CLIENT_SECRET:hidden-value\n")
    text = refused(file)
    assert "line 2" in text
    assert "hidden" not in text


def test_a_file_that_is_not_text_is_a_configuration_error(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"XERO_CLIENT_ID=\xff\xfe\n")
    assert "UTF-8" in refused(file)


def test_describe_masks_secrets_and_shows_the_rest() -> None:
    url = "postgresql+psycopg://user:hidden@host:5432/db"
    environ = {
        "TWILIO_ACCOUNT_SID": f"AC{SID}",
        "TWILIO_AUTH_TOKEN": "invented-token-of-the-test-9z",
        "XERO_WEBHOOK_KEYS": "first-key, second-key,",
        "DUEBELL_DATABASE_URL": url,
    }
    lines = {line.name: line for line in describe(environ, None)}
    assert lines["TWILIO_AUTH_TOKEN"].shown == "set, ends in 9z"
    assert lines["XERO_WEBHOOK_KEYS"].shown == "set, set"
    assert lines["DUEBELL_DATABASE_URL"].shown == "postgresql+psycopg://host:5432/db"
    assert lines["TWILIO_API_SECRET"].shown == "unset"
    assert lines["TWILIO_ACCOUNT_SID"].shown == f"AC{SID}"
    assert lines["TWILIO_ACCOUNT_SID"].source == "environment"
    assert lines["DUEBELL_LISTEN"].source == "default"


@pytest.mark.parametrize("password", ["hid?den", "hid#den", "hid[den"])
def test_describe_shows_nothing_of_a_password_that_holds_a_sign_of_addresses(password: str) -> None:
    environ = {"DUEBELL_DATABASE_URL": f"postgresql+psycopg://user:{password}@host:5432/db?sslmode=require"}
    lines = {line.name: line for line in describe(environ, None)}
    assert lines["DUEBELL_DATABASE_URL"].shown == "postgresql+psycopg://host:5432/db"


def test_describe_works_while_the_settings_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DUEBELL_HOME=here\nTWILIO_FORM=1\n")
    lines = {line.name: line for line in describe({}, file, tuple(Use))}
    assert lines["DUEBELL_HOME"].problem
    assert lines["DUEBELL_HOME"].source == ".env file"
    assert lines["XERO_CLIENT_ID"].mend
    assert lines["TWILIO_FORM"].mend == "Did you mean TWILIO_FROM?"
    assert set(VARIABLES) < set(lines)


def test_the_example_file_names_every_variable_and_is_refused_untouched() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [name for name in VARIABLES if f"{name}=" not in example] == []
    text = refused(ROOT / ".env.example", *Use)
    pasted = [line.split("=")[0] for line in example.splitlines() if line.endswith("-here")]
    assert len(pasted) == 6
    assert all(f"{name} still holds the text of .env.example" in text for name in pasted)


def test_the_defaults_that_the_example_shows_are_the_defaults() -> None:
    shown = dict(
        line.removeprefix("# ").split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line.startswith("# ") and line.removeprefix("# ").split("=")[0] in VARIABLES
    )
    given = {name: value for name, value in shown.items() if value and "deployments/" not in value}
    assert load(given, None) == load({}, None)


def test_the_demo_can_have_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("TWILIO_FROM=+64211234567\n")
    monkeypatch.chdir(tmp_path)

    assert load({}).twilio_from == "+64211234567"
    assert load({"DUEBELL_ENV_FILE": "none"}).twilio_from == ""


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.env").write_text("TWILIO_FROM=+64211234567\n")

    assert load({"DUEBELL_ENV_FILE": str(tmp_path / "other.env")}).twilio_from == "+64211234567"


def test_a_file_that_is_named_and_is_not_there_is_no_installation_without_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="where no file is"):
        load({"DUEBELL_ENV_FILE": str(tmp_path / "other.env")})


@pytest.mark.parametrize("chosen", ["", "other.env", "none"])
def test_the_processes_of_up_have_the_settings_of_the_folder_that_it_was_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    """They run in the checkout, where the settings of another installation may lie."""
    own, checkout = tmp_path / "own", tmp_path / "checkout"
    for folder, number in ((own, 1), (checkout, 2)):
        folder.mkdir()
        for name in (".env", "other.env"):
            (folder / name).write_text(f"TWILIO_FROM=+6421123456{number}\nDUEBELL_POLICY=own.toml\n")
    given = {"DUEBELL_ENV_FILE": chosen}
    monkeypatch.chdir(own)
    settings = load(given)
    children = for_children(settings, given)
    monkeypatch.chdir(checkout)

    assert load(given | children) == settings
