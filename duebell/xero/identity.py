"""Xero's token endpoint (developer.xero.com/documentation/guides/oauth2)."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from duebell.errors import (
    BadAnswer,
    ConfigurationError,
    DuebellError,
    RateLimited,
    ReconnectNeeded,
    ScopesRefused,
    Transient,
)
from duebell.xero.answers import limit_word, retry_after_seconds
from duebell.xero.fields import Fields
from duebell.xero.reader import BadField, read_json, uuid_of
from duebell.xero.transfer import USER_AGENT, Answer, Bounds, exchange

SCOPES = ("accounting.invoices.read", "accounting.contacts.read", "accounting.settings.read")
"""What Duebell reads. Granular ones: apps made since March 2026 are refused the broad ones."""

CONSENT_SCOPES = ("offline_access", *SCOPES, "accounting.payments.read")
"""What a person consents to: a refresh token, and the list of payments too, which polling follows if it may.

A custom connection is refused altogether where it asks for more than its page at Xero lists.
"""

WRITES_CONTACTS = "accounting.contacts"
"""What writing a contact group needs. Asked for only where the policy names a group to write."""

LONGEST_LIFE = 86_400
"""Seconds. Xero's access tokens live 1,800; more than a day is no sane answer."""

MENDS = {
    # The words of RFC 6749 5.2, by who can mend them. ``invalid_grant`` is told apart before.
    "invalid_client": "Xero does not know this app: check XERO_CLIENT_ID and XERO_CLIENT_SECRET",
    "unauthorized_client": "Xero refuses this app the grant: check XERO_CLIENT_ID and XERO_GRANT, and that "
    "the app at developer.xero.com/app/manage is of the matching kind",
    "unsupported_grant_type": "Xero does not offer this grant: check XERO_GRANT and XERO_IDENTITY_URL",
    "invalid_scope": "Xero refuses the scopes: choose accounting.invoices.read, accounting.contacts.read and "
    "accounting.settings.read for the app of XERO_CLIENT_ID at developer.xero.com/app/manage",
}


CONSENT_PAGE = "/identity/connect/authorize"


def consent_url(
    login_url: str,
    client_id: str,
    redirect_uri: str,
    state: str,
    challenge: str,
    scopes: Sequence[str] = CONSENT_SCOPES,
) -> str:
    """The page on which a person consents. ``challenge`` is the S256 of the PKCE verifier (RFC 7636)."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{login_url.rstrip('/')}{CONSENT_PAGE}?{urlencode(query, quote_via=quote)}"


@dataclass(frozen=True, slots=True)
class Claims:
    """Who consented, and in which consent, by Xero's ids; ``""`` where the token does not say."""

    user_id: str = ""
    auth_event_id: str = ""


def claims_of(access_token: SecretStr) -> Claims:
    """What an access token says of itself, as far as it is a JWT.

    Its signature is not checked: it came from Xero's own endpoint over TLS, and decides about no access.
    """
    parts = access_token.get_secret_value().split(".")
    if len(parts) != 3:
        return Claims()
    try:
        said = read_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        claims = Fields.of("the access token", said).raw
    except (ValueError, BadAnswer):
        return Claims()
    return Claims(
        uuid_of(claims.get("xero_userid")) or "", uuid_of(claims.get("authentication_event_id")) or ""
    )


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A new token set. ``expires_in`` is in seconds from the answer; a refresh token is spent by its use."""

    access_token: SecretStr
    refresh_token: SecretStr | None
    expires_in: int
    scopes: tuple[str, ...]


class XeroIdentity:
    """The token endpoint for one Xero app.

    Every method raises ``ReconnectNeeded`` when the grant is spent, ``ConfigurationError`` naming the setting
    when the app is at fault, ``RateLimited`` or ``Transient`` when trying later may help, ``BadAnswer`` for
    nonsense.
    """

    def __init__(
        self,
        http: httpx.Client,
        identity_url: str,
        client_id: str,
        client_secret: SecretStr,
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._http = http
        self._token_url = f"{identity_url.rstrip('/')}/connect/token"
        self._client_id = client_id
        self._client_secret = client_secret
        self._bounds = bounds or Bounds()

    def client_credentials(self, scopes: Sequence[str] = SCOPES) -> TokenAnswer:
        """A token of a custom connection; it has no refresh token."""
        return self._ask({"grant_type": "client_credentials", "scope": " ".join(scopes)})

    def refresh(self, refresh_token: SecretStr) -> TokenAnswer:
        """The next token set. The old refresh token works for 30 more minutes, should this answer be lost."""
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()})

    def authorization_code(self, code: SecretStr, redirect_uri: str, verifier: SecretStr) -> TokenAnswer:
        """The first token set of a consent; the other two are those that the consent was asked with."""
        form = {
            "grant_type": "authorization_code",
            "code": code.get_secret_value(),
            "redirect_uri": redirect_uri,
            "code_verifier": verifier.get_secret_value(),
        }
        return self._ask(form)

    def _ask(self, form: Mapping[str, str]) -> TokenAnswer:
        credentials = f"{self._client_id}:{self._client_secret.get_secret_value()}".encode()
        request = httpx.Request(
            "POST",
            self._token_url,
            headers={
                "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Content-Type": "application/x-www-form-urlencoded",
                "User-Agent": USER_AGENT,
            },
            content=urlencode(form).encode(),
        )
        answer = exchange(self._http, request, self._bounds)
        if answer.status != 200:
            raise token_problem(answer)
        return _tokens(answer)


def token_problem(answer: Answer) -> DuebellError | ConfigurationError:
    """Which error of ours an answer other than 200 is."""
    what = f"Xero's token endpoint answered {answer.status}"
    if answer.status == 429:
        return RateLimited(what, limit_word(answer.headers), retry_after_seconds(answer.headers))
    if answer.status == 408 or answer.status >= 500:
        return Transient(what)
    word = _error_word(answer.body)
    if word == "invalid_scope":
        return ScopesRefused(f"{what}, {word}. {MENDS[word]}")
    if word == "invalid_grant":
        return ReconnectNeeded(f"{what}, {word}: the consent is spent; connect the organisation again")
    if word in MENDS:
        return ConfigurationError(f"{what}, {word}. {MENDS[word]}")
    return BadAnswer(f"{what}{', ' + word if word else ''}")


def _error_word(body: bytes) -> str:
    """The ``error`` of RFC 6749, ``""`` where there is none."""
    try:
        word = Fields.of("the token answer", read_json(body)).text("error")
    except BadAnswer:
        return ""
    return word if re.fullmatch(r"[a-z_]{1,40}", word) else ""


def _tokens(answer: Answer) -> TokenAnswer:
    fields = Fields.of("the token answer", read_json(answer.body))
    access_token = _token(fields, "access_token")
    expires_in = fields.whole("expires_in")
    if access_token is None:
        raise BadField("the token answer.access_token", "present")
    if expires_in is None or not 0 < expires_in <= LONGEST_LIFE:
        raise BadField("the token answer.expires_in", "a sane number of seconds")
    if fields.text("token_type").lower() not in ("", "bearer"):
        raise BadField("the token answer.token_type", "Bearer")
    scopes = tuple(fields.text("scope").split())
    return TokenAnswer(access_token, _token(fields, "refresh_token"), expires_in, scopes)


def _token(fields: Fields, key: str) -> SecretStr | None:
    """A token that can stand in a header: visible ASCII, nothing else."""
    token = fields.text(key)
    if not token:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,16384}", token):
        raise BadField(f"{fields.name}.{key}", "a token")
    return SecretStr(token)
