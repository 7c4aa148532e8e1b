"""Who consented to what: codes that wait to be exchanged, and which person opened which organisation."""

import base64
import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

CODE_LIFE = timedelta(minutes=5)
PERSON = "5a4db0c5-0000-4000-8000-00000000000a"
"""The person who is logged in at the sandbox's Xero, unless the form says otherwise."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to, in one go."""

    person: str
    auth_event_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was not exchanged yet; ``challenge`` is the S256 of a verifier, empty for none."""

    consent: Consent
    redirect_uri: str
    challenge: str
    made_at: datetime

    def fits(self, redirect_uri: str, verifier: str, now: datetime) -> bool:
        """Whether it may be exchanged with these."""
        if now > self.made_at + CODE_LIFE or redirect_uri != self.redirect_uri:
            return False
        return challenge_of(verifier) == self.challenge if self.challenge else not verifier


def challenge_of(verifier: str) -> str:
    """The S256 challenge (RFC 7636 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Link:
    """A person's connection of an organisation to the app."""

    connection_id: str
    tenant_id: str
    auth_event_id: str


@dataclass
class People:
    """Every person's links, and the codes that are on their way."""

    links: dict[str, dict[str, Link]] = field(default_factory=dict[str, dict[str, Link]])
    codes: dict[str, Code] = field(default_factory=dict[str, Code])

    def agree(self, consent: Consent, tenant_ids: list[str]) -> None:
        """Open these organisations; one that the person opened before keeps its connection's id."""
        mine = self.links.setdefault(consent.person, {})
        for tenant_id in tenant_ids:
            before = mine.get(tenant_id)
            connection_id = before.connection_id if before else str(uuid.uuid4())
            mine[tenant_id] = Link(connection_id, tenant_id, consent.auth_event_id)

    def code_for(self, consent: Consent, redirect_uri: str, challenge: str, now: datetime) -> str:
        """A code that can be exchanged once."""
        value = "sandbox-code-" + secrets.token_urlsafe(24)
        self.codes[value] = Code(consent, redirect_uri, challenge, now)
        return value

    def of(self, person: str) -> list[Link]:
        """What a person opened."""
        return list(self.links.get(person, {}).values())

    def close(self, person: str, connection_id: str) -> bool:
        """End a person's connection by its own id; false where they have none of that id."""
        mine = self.links.get(person, {})
        closed = [link.tenant_id for link in mine.values() if link.connection_id == connection_id]
        for tenant_id in closed:
            del mine[tenant_id]
        return bool(closed)


def signed_token(consent: Consent, expires: datetime) -> str:
    """An access token that looks like Xero's: a JWT with its claims, signed with nothing."""
    claims = {
        "exp": int(expires.timestamp()),
        "iss": "https://identity.xero.com",
        "sub": hashlib.sha256(consent.person.encode()).hexdigest()[:32],
        "xero_userid": consent.person,
        "jti": secrets.token_hex(16),
        "authentication_event_id": consent.auth_event_id,
        "scope": sorted(consent.scopes),
    }
    header = {"alg": "RS256", "typ": "JWT"}
    signature = secrets.token_bytes(32)
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
