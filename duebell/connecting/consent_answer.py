"""What a browser brings back from Xero's consent page, read and kept until it is used.

Apart from the rest of the consent, because the receiver needs this half alone and none of its clients.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from pydantic import SecretStr
from sqlalchemy import Engine

from duebell.ledger import consents
from duebell.vault import Vault

CALLBACK_PATH = "/xero/callback"
PURPOSE = "xero consent"
MOST_PARAMETERS = 20
STATE = re.compile(r"[A-Za-z0-9_-]{20,128}")
CODE = re.compile(r"[\x21-\x7e]{1,2048}")
WORD = re.compile(r"[a-z_]{1,40}")


def hash_of(state: str) -> str:
    """The SHA-256, in hex, under which a consent is kept in place of its state."""
    return hashlib.sha256(state.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """What a browser came back with: a state, and either a code or Xero's word for why there is none."""

    state_hash: str
    code: SecretStr
    refused_why: str


def brought_back(query: str) -> BroughtBack | None:
    """Read the query of a callback. ``None`` for one that Xero would not send: twice, both or neither.

    A word that is no OAuth error becomes ``unknown``: it goes into the ledger and the audit trail.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return None
    given = dict(pairs)
    code, error = given.get("code", ""), given.get("error", "")
    once = all(sum(name == key for key, _ in pairs) < 2 for name in ("state", "code", "error"))
    if not once or not STATE.fullmatch(given.get("state", "")) or bool(code) == bool(error):
        return None
    if code and not CODE.fullmatch(code):
        return None
    why = error if not error or WORD.fullmatch(error) else "unknown"
    return BroughtBack(hash_of(given["state"]), SecretStr(code), why)


def keep_answer(engine: Engine, vault: Vault, answer: BroughtBack, *, now: datetime) -> bool:
    """Keep what the browser brought back, sealed.

    False, and nothing is kept, where its state is unknown, over or used. Raises ``ConfigurationError`` where
    the keys are not those that the consent was asked with.
    """

    def with_the_code(sealed: str) -> str:
        asked = vault.open(PURPOSE, answer.state_hash, sealed)
        return vault.seal(PURPOSE, answer.state_hash, asked | {"code": answer.code.get_secret_value()})

    return consents.answer(engine, answer.state_hash, with_the_code, answer.refused_why, now=now)
