"""Xero's identity service: tokens by client credentials or a consent, and refresh tokens that rotate."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.conditions import Conditions
from deployments.sandbox.credentials import XERO_CLIENT_ID, XERO_CLIENT_SECRET
from deployments.sandbox.inbound import basic_credentials, form_pairs, same
from deployments.sandbox.xero_people import Consent, People, signed_token

_AREAS = ("invoices", "payments", "banktransactions", "manualjournals", "contacts", "settings", "attachments")
# Apps made since 2 March 2026 get granular scopes only; the broad ones are refused (devblog.xero.com).
GRANULAR_SCOPES = frozenset(f"accounting.{area}{tail}" for area in _AREAS for tail in ("", ".read"))
CONSENT_SCOPES = GRANULAR_SCOPES | {"offline_access", "openid", "profile", "email"}
REFRESH_LIFE = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """``custom``: of a custom connection, which is bound to one organisation and may name no tenant.

    ``person`` is who consented on the login page: the token opens what that person connected, and nothing
    else. It is empty where nobody did, as for a consent by the control surface.
    """

    scopes: frozenset[str]
    expires_at: datetime
    custom: bool
    person: str = ""


@dataclass
class RefreshToken:
    """``rotated_at``: when it was first exchanged; it still works for the grace (30 minutes) after."""

    scopes: frozenset[str]
    made_at: datetime
    consent: Consent | None = None
    rotated_at: datetime | None = None

    def dead(self, now: datetime, grace: timedelta) -> bool:
        """Whether it is spent or too old."""
        if self.rotated_at is not None and now >= self.rotated_at + grace:
            return True
        return now > self.made_at + REFRESH_LIFE


@dataclass
class XeroAuth:
    """Every token that was given out, and the app's own scopes as its portal has them."""

    conditions: Conditions
    app_scopes: frozenset[str] = GRANULAR_SCOPES
    access: dict[str, AccessToken] = field(default_factory=dict[str, AccessToken])
    refresh: dict[str, RefreshToken] = field(default_factory=dict[str, RefreshToken])
    people: People = field(default_factory=People)

    async def token(self, request: Request) -> Response:
        """``POST /connect/token``."""
        pairs = await form_pairs(request)
        form = dict(pairs)
        if len(form) != len(pairs):
            return _refused("invalid_request")
        if not _is_the_app(request, form):
            return _refused("invalid_client")
        grants = {
            "client_credentials": self._client_credentials,
            "authorization_code": self._exchange,
            "refresh_token": self._rotate,
        }
        grant = grants.get(form.get("grant_type", ""))
        return grant(form) if grant else _refused("unsupported_grant_type")

    async def revocation(self, request: Request) -> Response:
        """``POST /connect/revocation``: all of the person's connections and tokens end."""
        form = dict(await form_pairs(request))
        if not _is_the_app(request, form):
            return _refused("invalid_client")
        held = self.refresh.pop(form.get("token", ""), None)
        if held is not None and held.consent is not None:
            self._end_tokens_of(held.consent.person)
            self.people.links.pop(held.consent.person, None)
        return Response(status_code=200)

    def _client_credentials(self, form: Mapping[str, str]) -> Response:
        scopes = frozenset(form.get("scope", "").split())
        if not scopes or not scopes <= self.app_scopes:
            return _refused("invalid_scope")
        return self._granted(scopes, custom=True)

    def _exchange(self, form: Mapping[str, str]) -> Response:
        now = self.conditions.now()
        # Taken before it is looked at: a code that was shown once is spent, whatever came of it.
        code = self.people.codes.pop(form.get("code", ""), None)
        redirect_uri, verifier = form.get("redirect_uri", ""), form.get("code_verifier", "")
        if code is None or not code.fits(redirect_uri, verifier, now):
            return _refused("invalid_grant")
        # Tokens are per person and app (XeroAPI/Xero-OpenAPI#585): the newest consent ends those before.
        self._end_tokens_of(code.consent.person)
        lasting = "offline_access" in code.consent.scopes
        refresh_token = self.consent(code.consent.scopes, code.consent) if lasting else ""
        return self._granted(
            code.consent.scopes, custom=False, refresh_token=refresh_token, consent=code.consent
        )

    def _end_tokens_of(self, person: str) -> None:
        self.refresh = {
            value: held
            for value, held in self.refresh.items()
            if held.consent is None or held.consent.person != person
        }

    def _rotate(self, form: Mapping[str, str]) -> Response:
        now = self.conditions.now()
        held = self.refresh.get(form.get("refresh_token", ""))
        grace = timedelta(seconds=self.conditions.settings.refresh_grace_seconds)
        if held is None or held.dead(now, grace):
            return _refused("invalid_grant")
        held.rotated_at = held.rotated_at or now
        following = self.consent(held.scopes, held.consent)
        return self._granted(held.scopes, custom=False, refresh_token=following, consent=held.consent)

    def consent(self, scopes: frozenset[str], consent: Consent | None = None) -> str:
        """A fresh refresh token, as if a person had just consented to these scopes."""
        value = "sandbox-refresh-" + secrets.token_urlsafe(24)
        self.refresh[value] = RefreshToken(scopes, self.conditions.now(), consent)
        return value

    def _granted(
        self,
        scopes: frozenset[str],
        *,
        custom: bool,
        refresh_token: str = "",
        consent: Consent | None = None,
    ) -> Response:
        seconds = self.conditions.settings.token_seconds
        expires = self.conditions.now() + timedelta(seconds=seconds)
        value = "sandbox-access-" + secrets.token_urlsafe(24)
        if consent is not None and not self.conditions.settings.opaque_tokens:
            value = signed_token(consent, expires)
        self.access[value] = AccessToken(scopes, expires, custom, consent.person if consent else "")
        body: dict[str, object] = {
            "access_token": value,
            "expires_in": seconds,
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
        }
        if refresh_token:
            body |= {"refresh_token": refresh_token, "id_token": "sandbox-id-" + secrets.token_urlsafe(12)}
        return JSONResponse(body, headers={"Cache-Control": "no-store, no-cache, max-age=0"})

    def expire_all(self) -> None:
        """Let every access token that was given out be over now."""
        now = self.conditions.now()
        self.access = {
            value: replace(token, expires_at=min(now, token.expires_at))
            for value, token in self.access.items()
        }

    def presented(self, request: Request) -> AccessToken | None:
        """The token that a request carries, expired or not; ``None`` where it was never given out."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return self.access.get(value) if scheme.lower() == "bearer" else None


def _is_the_app(request: Request, form: Mapping[str, str]) -> bool:
    in_form = (form.get("client_id", ""), form.get("client_secret", ""))
    client_id, secret = basic_credentials(request) or in_form
    return same(client_id, XERO_CLIENT_ID) and same(secret, XERO_CLIENT_SECRET)


def _refused(error: str) -> Response:
    return JSONResponse({"error": error}, status_code=400)
