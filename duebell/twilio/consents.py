"""Twilio's Consent Management API: what people want, told to Twilio for each sender.

It takes upserts of up to 25 consents and tells nothing back but how each went
(twilio.com/docs/messaging/features/consent-api), so a post may be repeated whatever came of it.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from duebell.errors import NotServed, Permanent, RateLimited, Transient
from duebell.preferences.mirroring import Outcome
from duebell.twilio.codes import WAITED_TOO_LONG
from duebell.twilio.outcome import Answer
from duebell.twilio.transport import DEADLINE, TIMEOUT, base_url, exchange, require_credentials

PATH = "/v1/Consents/Bulk"
MOST_ITEMS = 25
FORM = "application/x-www-form-urlencoded"

OUTCOMES: dict[str, Outcome] = {
    # The words of twilio.com/docs/api/errors/30646.
    "INTERNAL_SERVER_ERROR": Outcome.UNANSWERED,
    "INVALID_CORRELATION_ID": Outcome.UNANSWERED,  # ours are made anew for each post
    "INVALID_SENDER_ID": Outcome.REFUSED,
    "INVALID_CONTACT_ID": Outcome.REFUSED,
    "INVALID_STATUS": Outcome.REFUSED,
    "INVALID_SOURCE": Outcome.REFUSED,
    "INVALID_DATE_OF_CONSENT": Outcome.REFUSED,
}
"""What an item's words mean. One that is not known here is tried again: a consent may be told any number of
times.
"""


class NoConsentApi(Permanent):
    """The account has no Consent API, or its credentials do not open it."""


@dataclass(frozen=True, slots=True)
class ConsentItem:
    """One consent as it is posted. ``correlation_id``: 32 hexadecimal digits, new for each post."""

    correlation_id: str
    contact_id: str = field(repr=False)
    sender_id: str = field(repr=False)
    status: str
    source: str
    at: datetime

    def wire(self) -> str:
        """The item as the form carries it."""
        at = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps(
            {
                "contact_id": self.contact_id,
                "correlation_id": self.correlation_id,
                "sender_id": self.sender_id,
                "status": self.status,
                "source": self.source,
                "date_of_consent": at,
            }
        )


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """What came of one consent, with Twilio's words."""

    outcome: Outcome
    said: str = ""


class TwilioConsents:
    """The Consent API, spoken to with the account's auth token or an API key.

    Safe to share between threads. Raises ConfigurationError for credentials or a URL that cannot work.
    """

    def __init__(
        self,
        http: httpx.Client,
        username: str,
        password: SecretStr,
        accounts_url: str,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        deadline: float = DEADLINE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        require_credentials(username, password)
        self._http = http
        self._auth = httpx.BasicAuth(username, password.get_secret_value())
        self._url = base_url(accounts_url, "TWILIO_ACCOUNTS_URL") + PATH
        self._timeout = timeout
        self._deadline = deadline
        self._monotonic = monotonic

    def upsert(self, items: Sequence[ConsentItem]) -> dict[str, ItemAnswer]:
        """Tell Twilio these consents, at most 25; returns what came of each, by its correlation id.

        One that the answer leaves out is missing. Raises NoConsentApi, RateLimited, Transient where it may
        or may not have been done, and Permanent where Twilio refuses all of it.
        """
        if not 0 < len(items) <= MOST_ITEMS:
            raise ValueError(f"a post holds 1 to {MOST_ITEMS} consents")
        content = urlencode([("Items", one.wire()) for one in items]).encode()
        try:
            answer = exchange(
                self._http,
                "POST",
                self._url,
                headers={"Accept": "application/json", "Content-Type": FORM},
                timeout=self._timeout,
                deadline=self._deadline,
                monotonic=self._monotonic,
                auth=self._auth,
                content=content,
            )
        except httpx.HTTPError as exc:
            raise Transient(f"Twilio's Consent API gave no answer: {type(exc).__name__}") from None
        if not 200 <= answer.http_status < 300:
            raise _problem(answer)
        return _read(answer)


def _problem(answer: Answer) -> Exception:
    status = answer.http_status
    if status in (401, 403, 404):
        return NoConsentApi(
            f"Twilio's Consent API does not answer for this account ({answer}): ask Twilio to enable it, and "
            "check TWILIO_ACCOUNT_SID and its key"
        )
    if status == 429:
        return RateLimited(f"Twilio's limit was reached ({answer})", retry_after=answer.retry_after)
    if status >= 500:
        return NotServed(f"Twilio's Consent API failed ({answer})")
    if status < 400 or status in WAITED_TOO_LONG:
        return Transient(f"Twilio's Consent API failed ({answer})")
    return Permanent(f"Twilio's Consent API refused the request ({answer})")


def _read(answer: Answer) -> dict[str, ItemAnswer]:
    rows = (answer.payload or {}).get("items")
    if not isinstance(rows, list):
        raise Transient(f"Twilio's Consent API gave an answer that cannot be read ({answer})")
    found: dict[str, ItemAnswer] = {}
    for row in cast("list[object]", rows):
        told: Mapping[str, object] = cast("dict[str, object]", row) if isinstance(row, dict) else {}
        correlation = told.get("correlation_id")
        if isinstance(correlation, str):
            found[correlation] = _item(told)
    return found


def _item(told: Mapping[str, object]) -> ItemAnswer:
    code, raw = told.get("error_code"), told.get("error_messages")
    words = [str(one) for one in cast("list[object]", raw)] if isinstance(raw, list) else []
    if code == 0 and not isinstance(code, bool):
        return ItemAnswer(Outcome.TAKEN)
    said = f"{code}: {', '.join(words)}"[:500]
    outcomes = {OUTCOMES.get(word, Outcome.UNANSWERED) for word in words}
    return ItemAnswer(Outcome.REFUSED if Outcome.REFUSED in outcomes else Outcome.UNANSWERED, said)
