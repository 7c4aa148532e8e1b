"""Xero's identity service: tokens by client credentials, and refresh tokens that rotate."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.sandbox.conditions import Conditions
from deployments.sandbox.credentials import XERO_CLIENT_ID, XERO_CLIENT_SECRET
from deployments.sandbox.inbound import basic_credentials, form_pairs, same

_AREAS = ("invoices", "payments", "banktransactions", "manualjournals", "contacts", "settings", "attachments")
# Apps made since 2 March 2026 get granular scopes only; the broad ones are refused (devblog.xero.com).
GRANULAR_SCOPES = frozenset(f"accounting.{area}{tail}" for area in _AREAS for tail in ("", ".read"))
CONSENT_SCOPES = GRANULAR_SCOPES | {"offline_access", "openid", "profile", "email"}
REFRESH_GRACE = timedelta(minutes=30)
REFRESH_LIFE = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """``custom``: of a custom connection, which is bound to one organisation and may name no tenant."""

    scopes: frozenset[str]
    expires_at: datetime
    custom: bool


@dataclass
class RefreshToken:
    """``rotated_at``: when it was first exchanged; it still works for the grace of 30 minutes after."""

    scopes: frozenset[str]
    made_at: datetime
    rotated_at: datetime | None = None

    def dead(self, now: datetime) -> bool:
        """Whether it is spent or too old."""
        if self.rotated_at is not None and now > self.rotated_at + REFRESH_GRACE:
            return True
        return now > self.made_at + REFRESH_LIFE


@dataclass
class XeroAuth:
    """Every token that was given out, and the app's own scopes as its portal has them."""

    conditions: Conditions
    app_scopes: frozenset[str] = GRANULAR_SCOPES
    access: dict[str, AccessToken] = field(default_factory=dict[str, AccessToken])
    refresh: dict[str, RefreshToken] = field(default_factory=dict[str, RefreshToken])

    async def token(self, request: Request) -> Response:
        """``POST /connect/token``."""
        pairs = await form_pairs(request)
        form = dict(pairs)
        if len(form) != len(pairs):
            return _refused("invalid_request")
        client_id, secret = basic_credentials(request) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if not (same(client_id, XERO_CLIENT_ID) and same(secret, XERO_CLIENT_SECRET)):
            return _refused("invalid_client")
        if form.get("grant_type") == "client_credentials":
            return self._client_credentials(form)
        if form.get("grant_type") == "refresh_token":
            return self._rotate(form)
        return _refused("unsupported_grant_type")

    def _client_credentials(self, form: Mapping[str, str]) -> Response:
        scopes = frozenset(form.get("scope", "").split())
        if not scopes or not scopes <= self.app_scopes:
            return _refused("invalid_scope")
        return self._granted(scopes, custom=True)

    def _rotate(self, form: Mapping[str, str]) -> Response:
        now = self.conditions.now()
        held = self.refresh.get(form.get("refresh_token", ""))
        if held is None or held.dead(now):
            return _refused("invalid_grant")
        held.rotated_at = held.rotated_at or now
        return self._granted(held.scopes, custom=False, refresh_token=self.consent(held.scopes))

    def consent(self, scopes: frozenset[str]) -> str:
        """A fresh refresh token, as if a person had just consented to these scopes."""
        value = "sandbox-refresh-" + secrets.token_urlsafe(24)
        self.refresh[value] = RefreshToken(scopes, self.conditions.now())
        return value

    def _granted(self, scopes: frozenset[str], *, custom: bool, refresh_token: str = "") -> Response:
        value = "sandbox-access-" + secrets.token_urlsafe(24)
        seconds = self.conditions.settings.token_seconds
        self.access[value] = AccessToken(scopes, self.conditions.now() + timedelta(seconds=seconds), custom)
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
            value: AccessToken(token.scopes, min(now, token.expires_at), token.custom)
            for value, token in self.access.items()
        }

    def presented(self, request: Request) -> AccessToken | None:
        """The token that a request carries, expired or not; ``None`` where it was never given out."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return self.access.get(value) if scheme.lower() == "bearer" else None


def _refused(error: str) -> Response:
    return JSONResponse({"error": error}, status_code=400)
