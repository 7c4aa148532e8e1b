"""The consent of a person, from the question in the browser to the tokens.

``state`` and PKCE verifier are random and known to nobody but this installation: without the first no answer
is taken, and without the second a stolen code is worth nothing (RFC 6749 10.12, RFC 7636).
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from duebell import tokens
from duebell.connecting.consent_answer import CALLBACK_PATH, PURPOSE, hash_of
from duebell.connecting.scopes import consent_scopes
from duebell.errors import ConfigurationError, ReconnectNeeded
from duebell.ledger import consents
from duebell.resources import Resources
from duebell.xero.identity import TokenAnswer, claims_of, consent_url

OPEN_FOR = timedelta(minutes=15)
"""How long a person may take on Xero's page, with a login and a second factor on the way."""

IDLE = timedelta(days=7)
"""A refresh token that was not used for 60 days is over; one that rests is used once a week."""

DIES_AFTER = timedelta(days=60)

NO = {
    # The words of RFC 6749 4.1.2.1 that Xero sends the browser back with.
    "access_denied": "whoever was asked said no on Xero's page: run `duebell connect` again to ask anew",
    "invalid_scope": "Xero refuses the scopes: the app of XERO_CLIENT_ID needs accounting.invoices.read, "
    "accounting.contacts.read, accounting.settings.read and accounting.payments.read",
    "unauthorized_client": "Xero refuses this app: check XERO_CLIENT_ID, and that it is a web app",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A consent that a person is being asked for. ``url`` holds the state: show it to nobody else."""

    state_hash: str
    url: SecretStr
    expires: datetime


def ask(resources: Resources) -> Asked:
    """Write a new consent down, and say where the person has to go."""
    settings, now = resources.settings, resources.clock()
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    redirect_uri = f"{settings.public_url}{CALLBACK_PATH}"
    state_hash = hash_of(state)
    sealed = resources.vault.seal(PURPOSE, state_hash, {"verifier": verifier})
    consents.ask(resources.engine, state_hash, sealed, redirect_uri, expires=now + OPEN_FOR, now=now)
    url = consent_url(
        settings.xero_login_url,
        settings.xero_client_id,
        redirect_uri,
        state,
        challenge_of(verifier),
        consent_scopes(resources.policy),
    )
    return Asked(state_hash, SecretStr(url), now + OPEN_FOR)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Consented:
    """A consent that became tokens. ``auth_event_id`` marks what it added, ``""`` where Xero does not say."""

    token_set_id: str
    auth_event_id: str


def redeem(resources: Resources, asked: Asked) -> Consented:
    """Exchange the answer of a consent for tokens, once.

    Raises ``ConfigurationError`` where the person or Xero said no, and what the token endpoint raises.
    """
    answered = consents.use(resources.engine, asked.state_hash, now=resources.clock())
    if answered is None:
        raise ReconnectNeeded("the consent was used up already: run `duebell connect` again")
    if answered.refused_why:
        mend = NO.get(answered.refused_why, "run `duebell connect` again")
        raise ConfigurationError(f"nothing was connected ({answered.refused_why}): {mend}")
    kept = resources.vault.open(PURPOSE, asked.state_hash, answered.sealed)
    code, verifier = SecretStr(str(kept["code"])), SecretStr(str(kept["verifier"]))
    answer = resources.identity().authorization_code(code, answered.redirect_uri, verifier)
    return _stored(resources, answer)


def _stored(resources: Resources, answer: TokenAnswer) -> Consented:
    if answer.refresh_token is None:
        raise ConfigurationError(
            "Xero gave no refresh token, without which the consent ends in half an hour: let the app of "
            "XERO_CLIENT_ID have the scope offline_access"
        )
    # Where none are told, they are those that were asked for (RFC 6749 5.1).
    told = replace(answer, scopes=answer.scopes or consent_scopes(resources.policy))
    claims = claims_of(answer.access_token)
    token_set_id = consents.token_set_id_for(resources.settings.xero_client_id, claims.user_id)
    engine, vault, now = resources.engine, resources.vault, resources.clock()
    tokens.store(engine, vault, token_set_id, consents.GRANT, told, now=now, consented=True)
    return Consented(token_set_id, claims.auth_event_id)


def keep_alive(resources: Resources, token_set_id: str, owner: str) -> datetime:
    """Refresh a token set that has rested for a week, unless another did meanwhile; returns when it expires.

    Raises what ``tokens.ensure_fresh`` raises.
    """
    identity = resources.identity()

    def renewed(spent: tokens.Tokens) -> TokenAnswer:
        if spent.refresh is None:
            raise ReconnectNeeded(f"token set {token_set_id} has no refresh token")
        return identity.refresh(spent.refresh)

    return tokens.ensure_fresh(
        resources.engine,
        resources.vault,
        token_set_id,
        renewed,
        owner=owner,
        clock=resources.clock,
        force=resources.clock() - IDLE,
    )
