"""The token endpoint: what is sent, what each refusal means, and that no secret shows."""

import base64
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from duebell.errors import (
    BadAnswer,
    ConfigurationError,
    DuebellError,
    RateLimited,
    ReconnectNeeded,
    Transient,
)
from duebell.xero.identity import (
    CONSENT_SCOPES,
    SCOPES,
    Claims,
    TokenAnswer,
    XeroIdentity,
    claims_of,
    consent_url,
)

CLIENT_ID, CLIENT_SECRET = "0123456789ABCDEF0123456789ABCDEF", "the-app-secret"
REFRESH_TOKEN = SecretStr("the-spent-refresh-token")
GOOD = {
    "access_token": "new.access.token",
    "refresh_token": "new-refresh-token",
    "expires_in": 1800,
    "token_type": "Bearer",
    "scope": "accounting.invoices.read offline_access",
}


def identity(handler: Callable[[httpx.Request], httpx.Response]) -> XeroIdentity:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return XeroIdentity(http, "https://identity.xero.test/", CLIENT_ID, SecretStr(CLIENT_SECRET))


def answering(status: int, body: object) -> XeroIdentity:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return identity(lambda request: httpx.Response(status, content=content))


def sent_by(ask: Callable[[XeroIdentity], TokenAnswer]) -> httpx.Request:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=GOOD)

    ask(identity(handler))
    return asked[0]


def form_of(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode(), strict_parsing=True))


def test_each_grant_sends_its_form_and_the_app_by_basic_auth() -> None:
    requests = [
        sent_by(lambda identity: identity.client_credentials(SCOPES)),
        sent_by(lambda identity: identity.refresh(SecretStr("a+b&c=d"))),
        sent_by(
            lambda identity: identity.authorization_code(
                SecretStr("code"), "https://us.test/callback", SecretStr("verifier")
            )
        ),
    ]
    assert [form_of(request) for request in requests] == [
        {
            "grant_type": "client_credentials",
            "scope": "accounting.invoices.read accounting.contacts.read accounting.settings.read",
        },
        {"grant_type": "refresh_token", "refresh_token": "a+b&c=d"},
        {
            "grant_type": "authorization_code",
            "code": "code",
            "redirect_uri": "https://us.test/callback",
            "code_verifier": "verifier",
        },
    ]
    for request in requests:
        assert (request.method, str(request.url)) == ("POST", "https://identity.xero.test/connect/token")
        scheme, _, credentials = request.headers["authorization"].partition(" ")
        assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{CLIENT_ID}:{CLIENT_SECRET}")


def test_the_form_uses_only_what_the_token_endpoint_describes(samples: Path) -> None:
    operations = json.loads((samples / "openapi" / "extra.json").read_text())["xero"]["ops"]
    described = operations["POST /connect/token"]
    request = sent_by(lambda identity: identity.refresh(REFRESH_TOKEN))
    assert set(form_of(request)) <= set(described["form"])
    assert request.headers["content-type"] in described["ct"]


def test_a_new_token_set_is_read() -> None:
    tokens = answering(200, GOOD).refresh(REFRESH_TOKEN)
    assert tokens.access_token.get_secret_value() == "new.access.token"
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.get_secret_value() == "new-refresh-token"
    assert (tokens.expires_in, tokens.scopes) == (1_800, ("accounting.invoices.read", "offline_access"))


def test_a_custom_connection_has_no_refresh_token() -> None:
    custom = {"access_token": "new.access.token", "expires_in": 1800, "token_type": "bearer"}
    tokens = answering(200, custom).client_credentials()
    assert (tokens.refresh_token, tokens.scopes) == (None, ())


def test_only_a_consent_asks_for_a_refresh_token() -> None:
    assert "offline_access" not in SCOPES
    assert set(CONSENT_SCOPES) == {"offline_access", *SCOPES, "accounting.payments.read"}
    assert all(scope.endswith(".read") for scope in SCOPES)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant"}, ReconnectNeeded),
        (401, {"error": "invalid_client"}, ConfigurationError),
        (400, {"error": "invalid_client"}, ConfigurationError),
        (400, {"error": "unauthorized_client"}, ConfigurationError),
        (400, {"error": "invalid_scope"}, ConfigurationError),
        (400, {"error": "unsupported_grant_type"}, ConfigurationError),
        (400, {"error": "invalid_mood"}, BadAnswer),
        (400, {"error": ["invalid_grant"]}, BadAnswer),
        (400, b"<html>", BadAnswer),
        (403, b"", BadAnswer),
        (302, b"", BadAnswer),
        (429, b"", RateLimited),
        (408, b"", Transient),
        (500, b"<html>", Transient),
        (503, {"error": "invalid_grant"}, Transient),
        (200, b"<html>", BadAnswer),
        (200, b'{"access_token":', BadAnswer),
        (200, [], BadAnswer),
        (200, {}, BadAnswer),
    ],
)
def test_each_refusal_says_who_can_mend_it(status: int, body: object, expected: type[Exception]) -> None:
    with pytest.raises(expected) as problem:
        answering(status, body).refresh(REFRESH_TOKEN)
    assert type(problem.value) in (expected, *expected.__subclasses__())
    assert str(status) in str(problem.value) or status == 200


@pytest.mark.parametrize(
    ("word", "setting"),
    [
        ("invalid_client", "XERO_CLIENT_SECRET"),
        ("unauthorized_client", "XERO_GRANT"),
        ("invalid_scope", "XERO_CLIENT_ID"),
        ("unsupported_grant_type", "XERO_IDENTITY_URL"),
    ],
)
def test_a_configuration_error_names_the_setting_and_not_its_value(word: str, setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting) as problem:
        answering(400, {"error": word, "error_description": CLIENT_SECRET}).client_credentials()
    assert CLIENT_ID not in str(problem.value)
    assert CLIENT_SECRET not in str(problem.value)


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": "two words"},
        {"access_token": "new\r\nHost: elsewhere"},
        {"access_token": "é"},
        {"refresh_token": "new\nline"},
        {"expires_in": 0},
        {"expires_in": -1800},
        {"expires_in": "1800"},
        {"expires_in": 10**9},
        {"expires_in": None},
        {"token_type": "mac"},
        {"scope": ["a"]},
    ],
)
def test_a_token_set_that_is_nonsense_is_a_bad_answer(change: dict[str, object]) -> None:
    with pytest.raises(BadAnswer, match=f"^the token answer.{next(iter(change))} is not "):
        answering(200, GOOD | change).refresh(REFRESH_TOKEN)


def test_a_failed_transport_is_transient() -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("late", request=request)

    with pytest.raises(Transient, match=r"^ConnectTimeout while asking identity\.xero\.test$"):
        identity(unreachable).refresh(REFRESH_TOKEN)


def test_no_secret_shows_in_what_is_returned_or_raised() -> None:
    secrets = (CLIENT_SECRET, REFRESH_TOKEN.get_secret_value(), "new.access.token", "new-refresh-token")
    shown = [repr(answering(200, GOOD)), repr(answering(200, GOOD).refresh(REFRESH_TOKEN))]
    for status, body in ((400, GOOD), (200, GOOD | {"expires_in": 0}), (500, GOOD)):
        with pytest.raises(DuebellError) as problem:
            answering(status, body).refresh(REFRESH_TOKEN)
        shown += [repr(problem.value), str(pickle.dumps(problem.value))]
        assert problem.value.__context__ is None
    assert [secret for secret in secrets for text in shown if secret in text] == []


@settings(deadline=None)
@given(st.sampled_from([200, 400, 401, 500]), st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_answer_is_a_token_set_or_an_error_of_ours(status: int, body: bytes) -> None:
    with pytest.raises((DuebellError, ConfigurationError)):
        answering(status, body).refresh(REFRESH_TOKEN)


def a_jwt(claims: object) -> SecretStr:
    parts = [{"alg": "RS256"}, claims, "signature"]
    spelt = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return SecretStr(".".join(spelt))


PERSON, EVENT = "1945393b-6eb7-4143-b083-7ab26cd7690b", "d0ddcf81-f942-4f4d-b3c7-f98045204db4"


def test_an_access_token_says_whose_it_is_and_of_which_consent() -> None:
    told = a_jwt({"xero_userid": PERSON.upper(), "authentication_event_id": EVENT, "scope": ["x"]})
    assert claims_of(told) == Claims(PERSON, EVENT)
    assert claims_of(a_jwt({"xero_userid": PERSON})) == Claims(PERSON, "")
    assert claims_of(a_jwt({"xero_userid": 7, "authentication_event_id": EVENT})) == Claims("", EVENT)


@pytest.mark.parametrize("claims", [None, [], "text", {}, {"xero_userid": "me:user:you"}])
def test_a_token_that_says_nothing_usable_is_nobody_s(claims: object) -> None:
    assert claims_of(a_jwt(claims)) == Claims()


@given(st.text(max_size=200))
def test_no_token_whatever_its_shape_raises(text: str) -> None:
    for token in (text, f"a.{text}.b", "..", f"{text}.{text}.{text}"):
        assert isinstance(claims_of(SecretStr(token)), Claims)


def test_the_page_s_address_spells_what_was_asked_so_that_it_is_read_back() -> None:
    url = httpx.URL(consent_url("https://login.xero.test/", CLIENT_ID, "http://localhost:1/x?", "s&t", "c="))
    assert (url.host, url.path) == ("login.xero.test", "/identity/connect/authorize")
    assert dict(url.params) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": "http://localhost:1/x?",
        "scope": " ".join(CONSENT_SCOPES),
        "state": "s&t",
        "code_challenge": "c=",
        "code_challenge_method": "S256",
    }
    assert "+" not in str(url)
