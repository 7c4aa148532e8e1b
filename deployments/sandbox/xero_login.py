"""Xero's consent page: ``/identity/connect/authorize``, in a browser or by posting its form.

What Xero checks before it shows the page, it answers with an error page and never with a redirect; what the
person decides there goes back to the app's address.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from deployments.sandbox.books import Books
from deployments.sandbox.conditions import Conditions
from deployments.sandbox.credentials import XERO_CLIENT_ID
from deployments.sandbox.inbound import form_pairs, pause, query_pairs, same
from deployments.sandbox.wire import text_of
from deployments.sandbox.xero_auth import CONSENT_SCOPES, XeroAuth
from deployments.sandbox.xero_people import PERSON, Consent

PATH = "/identity/connect/authorize"
_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge",
          "code_challenge_method")  # fmt: skip
_PAGE = """<!doctype html><title>Xero (sandbox): allow access</title>
<h1>Duebell wants access to your organisation</h1>
<form method="post" action="{path}">
{hidden}
{organisations}
<p><button name="decision" value="allow">Allow access</button>
<button name="decision" value="deny">Cancel</button></p>
</form>
"""


@dataclass
class XeroLogin:
    """The page, and what a person does there."""

    conditions: Conditions
    auth: XeroAuth
    tenants: dict[str, Books]

    def routes(self) -> list[Route]:
        """Where it is found."""
        return [Route(PATH, self._show, methods=["GET"]), Route(PATH, self._decide, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        await pause(request)
        asked = dict(query_pairs(request))
        wrong = self._wrong(asked)
        return _error(wrong) if wrong else HTMLResponse(self._page(asked))

    async def _decide(self, request: Request) -> Response:
        """The form: what was asked, ``decision``, a ``tenant`` for each organisation, and who does it."""
        await pause(request)
        pairs = await form_pairs(request)
        form = dict(pairs)
        wrong = self._wrong(form)
        if wrong:
            return _error(wrong)
        if form.get("decision") != "allow":
            return _back(form, {"error": "access_denied"})
        chosen = [value for name, value in pairs if name == "tenant"]
        if not chosen or not set(chosen) <= self.tenants.keys():
            return HTMLResponse(self._page(form), 400)
        return _back(form, {"code": self._agreed(form, chosen)})

    def _agreed(self, form: Mapping[str, str], chosen: Sequence[str]) -> str:
        person = form.get("person") or PERSON
        consent = Consent(person, str(uuid.uuid4()), frozenset(form["scope"].split()))
        self.auth.people.agree(consent, list(chosen))
        for tenant_id in chosen:
            self.tenants[tenant_id].connected = True
        challenge = form.get("code_challenge", "")
        return self.auth.people.code_for(consent, form["redirect_uri"], challenge, self.conditions.now())

    def _wrong(self, asked: Mapping[str, str]) -> str:
        """The word on Xero's error page, ``""`` where the page may be shown."""
        if not same(asked.get("client_id", ""), XERO_CLIENT_ID) or asked.get("response_type") != "code":
            return "unauthorized_client"
        redirect_uri = asked.get("redirect_uri", "")
        if redirect_uri not in self.conditions.settings.redirect_uris or not _allowed(redirect_uri):
            return "invalid_redirect_uri"
        scopes = set(asked.get("scope", "").split())
        if not scopes or not scopes <= CONSENT_SCOPES:
            return "invalid_scope"
        by_pkce = "code_challenge" in asked
        return "invalid_request" if by_pkce and asked.get("code_challenge_method") != "S256" else ""

    def _page(self, asked: Mapping[str, str]) -> str:
        hidden = [
            f'<input type="hidden" name="{name}" value="{escape(asked[name])}">'
            for name in _ASKED
            if name in asked
        ]
        organisations = [
            f'<p><label><input type="checkbox" name="tenant" value="{tenant_id}"> '
            f"{escape(text_of(books.organisation, 'Name'))}</label></p>"
            for tenant_id, books in self.tenants.items()
        ]
        return _PAGE.format(path=PATH, hidden="\n".join(hidden), organisations="\n".join(organisations))


def _allowed(redirect_uri: str) -> bool:
    # Xero's portal takes https, and http for localhost by its name alone.
    parts = urlsplit(redirect_uri)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost")


def _back(form: Mapping[str, str], answer: dict[str, str]) -> Response:
    state = {"state": form["state"]} if "state" in form else {}
    return RedirectResponse(f"{form['redirect_uri']}?{urlencode(answer | state)}", 302)


def _error(word: str) -> Response:
    return HTMLResponse(f"<!doctype html><title>Xero</title><h1>Sorry</h1><p>Error: {word}<p>Code: 500", 500)
