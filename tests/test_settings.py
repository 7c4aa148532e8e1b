"""The settings: one error for everything, nothing secret in any text."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from duebell.errors import ConfigurationError
from duebell.setting_shapes import is_loopback, is_placeholder
from duebell.settings import VARIABLES, Grant, Sending, Settings, Use, describe, load

ROOT = Path(__file__).resolve().parents[1]
SID = "0123456789abcdef" * 2
WHOLE = {
    "XERO_CLIENT_ID": "ABCDEF",
    "XERO_CLIENT_SECRET": "invented-secret-of-a-test-1x",
    "XERO_WEBHOOK_KEYS": "first-key, second-key,",
    "TWILIO_ACCOUNT_SID": f"AC{SID}",
    "TWILIO_AUTH_TOKEN": "invented-token-of-the-test-9z",
    "TWILIO_MESSAGING_SERVICE_SID": f"MG{SID}",
    "EMAIL_FROM": "accounts@company.test",
}


def refused(environ: dict[str, str], *uses: Use) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, None, uses)
    return str(caught.value)


def test_without_any_variable_the_defaults_stand() -> None:
    settings = load({"DUEBELL_HOME": "/srv/duebell"}, None)
    assert settings.home == Path("/srv/duebell")
    assert settings.database_url.get_secret_value() == "sqlite:////srv/duebell/duebell.db"
    assert (settings.listen_host, settings.listen_port) == ("127.0.0.1", 8787)
    assert settings.public_url == "http://localhost:8787"
    assert settings.sending is Sending.LIVE
    assert settings.xero_grant is Grant.AUTHORIZATION_CODE
    assert settings.policy == ROOT / "deployments" / "policy.toml"
    assert settings.prefect_server_api_port == 4200


def test_home_begins_at_the_users_own_folder() -> None:
    assert load({}, None).home == Path("~/.duebell").expanduser()


def test_the_whole_set_is_enough_for_every_use() -> None:
    settings = load(WHOLE, None, tuple(Use))
    assert [key.get_secret_value() for key in settings.xero_webhook_keys] == ["first-key", "second-key"]
    assert settings.missing_for(*Use) == []


def test_every_problem_is_named_in_one_error() -> None:
    text = refused(
        {
            "DUEBELL_HOME": "relative",
            "DUEBELL_SENDING": "loud",
            "XERO_API_URL": "http://api.xero.test",
            "TWILIO_ACCOUNT_SID": "AC12",
            "TWILIO_API_KEY": f"SK{SID}",
            "PREFECT_SERVER_API_PORT": "many",
        },
        *Use,
    )
    for name in (
        "DUEBELL_HOME",
        "DUEBELL_SENDING",
        "XERO_API_URL",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_API_SECRET",
        "PREFECT_SERVER_API_PORT",
        "XERO_CLIENT_ID",
        "XERO_WEBHOOK_KEYS",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_FROM",
        "EMAIL_FROM",
    ):
        assert f"{name}" in text, name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUEBELL_LISTEN", "8787"),
        ("DUEBELL_LISTEN", "127.0.0.1:99999"),
        ("DUEBELL_LISTEN", "http://127.0.0.1:1"),
        ("DUEBELL_PUBLIC_URL", "https://our_host.company.test"),
        ("DUEBELL_PUBLIC_URL", "ftp://host.company.test"),
        ("DUEBELL_PUBLIC_URL", "host.company.test"),
        ("DUEBELL_PUBLIC_URL", "https://host.company.test/?x=1"),
        ("DUEBELL_PUBLIC_URL", "https://host.company.test:port"),
        ("DUEBELL_PUBLIC_URL", "https://[half"),
        ("XERO_API_URL", "https://user:pass@api.xero.test"),
        ("TWILIO_API_URL", "http://192.0.2.1"),
        ("DUEBELL_HOME", "here"),
        ("DUEBELL_DATABASE_URL", "sqlite:///duebell.db"),
        ("DUEBELL_DATABASE_URL", "sqlite://"),
        ("DUEBELL_DATABASE_URL", "sqlite:///:memory:"),
        ("DUEBELL_DATABASE_URL", "postgres://host/db"),
        ("DUEBELL_DATABASE_URL", "mysql://host/db"),
        ("DUEBELL_DATABASE_URL", "postgresql+psycopg://user:p/w@host/db"),
        ("DUEBELL_DATABASE_URL", "postgresql+psycopg://user:p@w@host/db"),
        ("DUEBELL_DATABASE_URL", "postgresql+psycopg://user:pw@host:port/db"),
        ("DUEBELL_ENCRYPTION_KEYS", "short"),
        ("TWILIO_ACCOUNT_SID", f"SK{SID}"),
        ("TWILIO_MESSAGING_SERVICE_SID", f"AC{SID}"),
        ("TWILIO_FROM", "21 555"),
        ("TWILIO_FROM", "A name too long"),
        ("EMAIL_FROM", "accounts"),
        ("EMAIL_PROVIDER", "pigeon"),
        ("XERO_GRANT", "password"),
        ("XERO_CLIENT_SECRET", "two words"),
        ("XERO_WEBHOOK_KEYS", "good,b ad"),
        ("TWILIO_AUTH_TOKEN", "curly\u201dquote"),
        ("TWILIO_AUTH_TOKEN", '"quoted"'),
        ("XERO_WEBHOOK_KEYS", "'good,other'"),
    ],
)
def test_a_malformed_value_is_refused_by_name(name: str, value: str) -> None:
    assert name in refused({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUEBELL_LISTEN", "[::1]:0"),
        ("TWILIO_FROM", "+64211234567"),
        ("TWILIO_FROM", "+15005550006"),
        ("TWILIO_FROM", "4321"),
        ("TWILIO_FROM", "Harbour Co"),
        ("XERO_API_URL", "http://127.0.0.1:9000/xero/"),
        ("XERO_API_URL", "http://[::1]:9000"),
        ("DUEBELL_DATABASE_URL", "postgresql+psycopg://user:p%2Fw@host/db"),
        ("DUEBELL_DATABASE_URL", "postgresql+psycopg://user:p?w#[x@host/db"),
        ("EMAIL_PROVIDER", "sendgrid"),
    ],
)
def test_a_sound_value_is_taken(name: str, value: str) -> None:
    assert load({name: value}, None)


def test_addresses_lose_their_last_slash() -> None:
    settings = load(
        {"DUEBELL_PUBLIC_URL": "https://due.company.test/", "XERO_API_URL": "https://x.test//"}, None
    )
    assert (settings.public_url, settings.xero_api_url) == ("https://due.company.test", "https://x.test")


def test_a_host_of_ipv6_loses_its_brackets() -> None:
    assert load({"DUEBELL_LISTEN": "[::1]:80"}, None).listen_host == "::1"


def test_two_senders_at_once_are_refused() -> None:
    assert "TWILIO_FROM" in refused({**WHOLE, "TWILIO_FROM": "+64211234567"})


def test_an_api_key_goes_with_its_secret() -> None:
    assert "TWILIO_API_SECRET is unset" in refused({"TWILIO_API_KEY": f"SK{SID}"})
    assert "TWILIO_API_KEY is unset" in refused({"TWILIO_API_SECRET": "something"})


def test_a_previous_auth_token_has_one_that_replaces_it() -> None:
    assert "TWILIO_AUTH_TOKEN is unset" in refused({"TWILIO_PREVIOUS_AUTH_TOKEN": "something"})
    both = {"TWILIO_AUTH_TOKEN": "new", "TWILIO_PREVIOUS_AUTH_TOKEN": "old"}
    assert [token.get_secret_value() for token in load(both, None).twilio_signing_tokens] == ["new", "old"]


def test_callbacks_need_the_auth_token_even_beside_an_api_key() -> None:
    settings = load({"TWILIO_API_KEY": f"SK{SID}", "TWILIO_API_SECRET": "something"}, None)
    assert [problem.name for problem in settings.missing_for(Use.TWILIO_WEBHOOKS)] == ["TWILIO_AUTH_TOKEN"]
    assert "TWILIO_AUTH_TOKEN" not in {problem.name for problem in settings.missing_for(Use.SMS)}


def test_email_by_sendgrid_needs_its_key_and_nothing_of_twilio() -> None:
    settings = load({"EMAIL_PROVIDER": "sendgrid"}, None)
    assert {problem.name for problem in settings.missing_for(Use.EMAIL)} == {"EMAIL_FROM", "SENDGRID_API_KEY"}


def test_require_raises_for_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="XERO_CLIENT_ID"):
        load({}, None).require(Use.XERO)


def test_no_error_and_no_line_repeats_a_secret() -> None:
    secret = "s3cret-in-the-wrong-place-77"
    for name in VARIABLES:
        environ = {"TWILIO_API_SECRET": "x y", name: secret}
        with pytest.raises(ConfigurationError) as caught:
            load(environ, None)
        assert secret not in str(caught.value), name
        if name in {
            "TWILIO_ACCOUNT_SID",
            "TWILIO_API_KEY",
            "TWILIO_AUTH_TOKEN",
            "XERO_CLIENT_SECRET",
            "EMAIL_FROM",
        }:
            assert secret not in str(describe(environ, None)), name
    assert secret not in repr(load({"XERO_CLIENT_SECRET": secret, "XERO_WEBHOOK_KEYS": secret}, None))


def test_the_settings_cannot_be_changed() -> None:
    settings = load({}, None)
    with pytest.raises(ValidationError):
        settings.public_url = "http://elsewhere.test"


def test_nothing_is_read_but_what_was_passed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "XERO_CLIENT_ID", "from-outside")
    assert load({}, None).xero_client_id == ""
    assert Settings.model_validate({}).xero_client_id == ""
    assert load(None, None).xero_client_id == "from-outside"


@pytest.mark.parametrize("text", ["paste-the-key-here", "<token>", "xxxx", "changeme", "your-token", "TODO"])
def test_a_placeholder_is_known(text: str) -> None:
    assert is_placeholder(text)
    assert "XERO_CLIENT_ID" in refused({"XERO_CLIENT_ID": text})


def test_loopback_is_this_machine_and_no_other() -> None:
    assert all(
        is_loopback(host) for host in ("localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "[::1]")
    )
    assert not any(
        is_loopback(host) for host in ("", "localhost.evil.test", "10.0.0.1", "example.test", "128.0.0.1")
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:8787", "http://[::1]:8787", "http://duebell.example"])
def test_xero_sends_no_browser_back_to_a_numbered_loopback_or_an_unencrypted_host(url: str) -> None:
    by_consent = WHOLE | {"DUEBELL_PUBLIC_URL": url}
    text = refused(by_consent, Use.XERO_CONSENT)
    assert "DUEBELL_PUBLIC_URL is no address to which Xero sends a browser back" in text
    assert "http://localhost:8787" in text
    assert load(by_consent, None, [Use.XERO, Use.XERO_WEBHOOKS]).public_url == url
    assert load(by_consent | {"XERO_GRANT": "client_credentials"}, None, tuple(Use)).public_url == url
    with pytest.raises(ConfigurationError, match="DUEBELL_PUBLIC_URL"):
        load(by_consent, None).require(Use.XERO_CONSENT)


@pytest.mark.parametrize("url", ["http://localhost:8787", "http://LOCALHOST", "https://duebell.example"])
def test_xero_sends_a_browser_back_to_localhost_by_its_name_and_to_https(url: str) -> None:
    assert load(WHOLE | {"DUEBELL_PUBLIC_URL": url}, None, [Use.XERO_CONSENT]).missing_for(*Use) == []
