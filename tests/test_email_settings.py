"""The settings of email: who sends, through whom, and whose events are believed."""

import contextlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from deployments import up
from deployments.sandbox.credentials import SENDGRID_WEBHOOK_KEY
from duebell.email.client import EmailClient
from duebell.email.sendgrid import SendGrid
from duebell.email.twilio_email import TwilioEmail
from duebell.errors import ConfigurationError
from duebell.resources import open_resources
from duebell.settings import EmailProvider, Settings, Use, load
from duebell.twilio.outcome import Accepted
from tests.test_email_outcome import MESSAGE_ID, OPERATION
from tests.test_email_requests import email
from tests.test_twilio_wire import ACCOUNT, RecordingTwilio, answering

KEY = "SK" + "d" * 32
BY_TWILIO = {
    "EMAIL_FROM": "Company <accounts@company.example>",
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "TWILIO_AUTH_TOKEN": "invented-token",
    "TWILIO_COMMS_URL": "https://comms.example",
}
BY_SENDGRID = {
    "EMAIL_FROM": "accounts@company.example",
    "EMAIL_PROVIDER": "sendgrid",
    "SENDGRID_API_KEY": "SG.invented",
    "SENDGRID_API_URL": "https://grid.example",
}


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, None)
    return str(caught.value)


def test_email_is_off_until_there_is_a_sender() -> None:
    off = load({}, None)
    assert (off.sends_email, off.email_provider) == (False, EmailProvider.TWILIO)
    assert off.twilio_comms_url == "https://comms.twilio.com"
    assert off.sendgrid_api_url == "https://api.sendgrid.com"
    assert load(BY_TWILIO, None).sends_email


@pytest.mark.parametrize(
    "text",
    ["a@b.example", "Company <a@b.example>", '"Smith, Jones & Co" <a@b.example>', "Büro <a@b.example>"],
)
def test_a_sender_is_an_address_or_a_name_with_its_address(text: str) -> None:
    assert load({"EMAIL_FROM": text}, None).email_from == text


@pytest.mark.parametrize(
    "text",
    [
        "nobody",
        "a@b",
        "a@b.example, c@d.example",
        "Company a@b.example",
        "Company <a@b.example",
        "A\nB <a@b.example>",
    ],
)
def test_a_sender_that_is_none_is_refused_with_the_mend_and_without_the_value(text: str) -> None:
    told = refused({"EMAIL_FROM": text})
    assert "EMAIL_FROM is not an email address" in told
    assert "Company <accounts@company.com>" in told
    assert text not in told.replace("Company <accounts@company.com>", "")


def test_verification_keys_are_several_and_each_is_checked() -> None:
    keys = load({"SENDGRID_WEBHOOK_KEYS": f"{SENDGRID_WEBHOOK_KEY}, {SENDGRID_WEBHOOK_KEY},"}, None)
    assert keys.sendgrid_webhook_keys == (SENDGRID_WEBHOOK_KEY,) * 2
    for text in ("junk", SENDGRID_WEBHOOK_KEY[:-8], f"{SENDGRID_WEBHOOK_KEY},junk"):
        told = refused({"SENDGRID_WEBHOOK_KEYS": text})
        assert "SENDGRID_WEBHOOK_KEYS holds something that is not a verification key" in told
        assert "Event Webhooks" in told


def test_events_need_a_key_where_sendgrid_sends_and_nothing_where_twilio_does() -> None:
    assert load(BY_TWILIO, None).missing_for(Use.EMAIL, Use.EMAIL_EVENTS) == []
    [problem] = load(BY_SENDGRID, None).missing_for(Use.EMAIL, Use.EMAIL_EVENTS)
    assert problem.name == "SENDGRID_WEBHOOK_KEYS"
    assert "app.sendgrid.com" in problem.mend


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, []),
        ({"EMAIL_PROVIDER": "sendgrid"}, []),
        (BY_TWILIO, []),
        (BY_TWILIO | {"TWILIO_AUTH_TOKEN": ""}, ["TWILIO_AUTH_TOKEN"]),
        (BY_SENDGRID | {"SENDGRID_API_KEY": ""}, ["SENDGRID_API_KEY", "SENDGRID_WEBHOOK_KEYS"]),
    ],
)
def test_whoever_asks_for_email_where_it_is_on_is_told_of_nothing_while_it_is_off(
    environ: dict[str, str], names: list[str]
) -> None:
    assert [problem.name for problem in load(environ, None).missing_for(Use.EMAIL_WHERE_ON)] == names


def test_nothing_is_brought_up_while_the_email_that_is_on_lacks_something() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(BY_SENDGRID | {"SENDGRID_API_KEY": ""}, None, up.NEEDS)
    assert "SENDGRID_API_KEY is unset and needed for sending email" in str(caught.value)
    assert "SENDGRID_WEBHOOK_KEYS is unset and needed for SendGrid's events" in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        load({}, None, up.NEEDS)
    assert "EMAIL" not in str(caught.value)


@contextlib.contextmanager
def made(environ: dict[str, str], home: Path, provider: RecordingTwilio) -> Generator[EmailClient]:
    """The email client of an installation, spoken to by ``provider``."""
    settings: Settings = load({**environ, "DUEBELL_HOME": str(home)}, None)
    resources = open_resources(settings)
    with contextlib.closing(resources), contextlib.closing(provider.http()) as http:
        yield replace(resources, twilio_http=http).email()


def test_twilio_sends_unless_sendgrid_was_chosen(tmp_path: Path) -> None:
    twilio = answering(202, {"operationId": OPERATION})
    with made(BY_TWILIO, tmp_path, twilio) as client:
        assert isinstance(client, TwilioEmail)
        assert isinstance(client.send(email()), Accepted)
    assert str(twilio.posts[0].url) == "https://comms.example/v1/Emails"
    grid = answering(202, "", {"X-Message-Id": MESSAGE_ID})
    with made(BY_SENDGRID, tmp_path, grid) as client:
        assert isinstance(client, SendGrid)
        assert isinstance(client.send(email()), Accepted)
    assert str(grid.posts[0].url) == "https://grid.example/v3/mail/send"


def test_an_api_key_goes_before_the_auth_token(tmp_path: Path) -> None:
    used: list[str] = []
    for more in ({}, {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": "invented-secret"}):
        twilio = answering(202, {"operationId": OPERATION})
        with made(BY_TWILIO | more, tmp_path, twilio) as client:
            client.send(email())
        used.append(twilio.posts[0].headers["Authorization"])
    assert len(set(used)) == 2


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        (BY_TWILIO | {"EMAIL_FROM": ""}, "EMAIL_FROM"),
        (BY_TWILIO | {"TWILIO_AUTH_TOKEN": ""}, "TWILIO_AUTH_TOKEN"),
        (BY_SENDGRID | {"SENDGRID_API_KEY": ""}, "SENDGRID_API_KEY"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(
    environ: dict[str, str], name: str, tmp_path: Path
) -> None:
    provider = answering(202, {})
    with pytest.raises(ConfigurationError, match=name), made(environ, tmp_path, provider):
        pass
    assert provider.requests == []
