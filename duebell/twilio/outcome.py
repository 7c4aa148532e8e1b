"""What a POST of a message came to. The only question is: may a message exist?

    Accepted       yes, and this is its SID
    Refused        no: Twilio looked at it and said no
    NotProcessed   no: nothing was sent, or nothing was looked at; the same POST may be made again
    Unknown        perhaps: never POST again before it is settled by evidence

Creating a message has no idempotency key at Twilio, and only a 429 is documented as "never processed"
(twilio.com/docs/api/errors/20429); 500 and 503 are not. So everything that is not proven is ``Unknown``.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx

from duebell.twilio.codes import DAILY_LIMIT, Action, Ruling, action_for, error_code
from duebell.twilio.statuses import MessageStatus, message_status

_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")
_COUNT = re.compile(r"[0-9]{1,4}")
_TOO_MANY = 20429

TWILIO, SENDGRID = "twilio", "sendgrid"
"""Who refuses a message, as kept reasons name it. Twilio's Email API has Twilio's codes."""

# They end before the connection stands, so before a byte of the request is written.
NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""The failures that prove that no message was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came. ``text`` is for the ledger alone: Twilio's texts quote phone numbers."""

    http_status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)

    @property
    def request_id(self) -> str | None:
        """Twilio's own id of the request, which its support asks for."""
        return self.headers.get("Twilio-Request-Id")

    @property
    def payload(self) -> dict[str, Any] | None:
        """The JSON object of the body, or ``None`` where it is anything else."""
        try:
            body: object = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return cast("dict[str, Any]", body) if isinstance(body, dict) else None

    @property
    def code(self) -> int | None:
        """Twilio's error code in the body, if it names one."""
        return error_code((self.payload or {}).get("code"))

    @property
    def retry_after(self) -> float | None:
        """The seconds of ``Retry-After``, which may be a date; ``None`` without a sensible one."""
        raw = self.headers.get("Retry-After", "").strip()
        try:
            seconds = float(raw)
        except ValueError:
            seconds = _seconds_between(self.headers.get("Date", ""), raw)
        return max(seconds, 0.0) if math.isfinite(seconds) else None

    def __str__(self) -> str:
        return f"HTTP {self.http_status}" + (f", code {self.code}" if self.code else "")


@dataclass(frozen=True, slots=True)
class Accepted:
    """Twilio has the message. ``segments`` is ``None`` while Twilio does not know them (it says 0 then)."""

    sid: str
    status: MessageStatus
    segments: int | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """No message exists. ``answer`` is the provider's body, for the ledger alone."""

    http_status: int
    code: int | None
    ruling: Ruling
    answer: str = field(repr=False)
    provider: str = TWILIO

    @property
    def reason(self) -> str:
        """What is kept of it: ``twilio:21610``, or ``sendgrid:http_400`` where no code was told."""
        said = f"http_{self.http_status}" if self.code is None else str(self.code)
        return f"{self.provider}:{said}"

    @property
    def cause(self) -> str:
        """What was answered, and what that means."""
        code = "" if self.code is None else f", code {self.code}"
        return f"HTTP {self.http_status}{code}: {self.ruling.meaning}"

    @property
    def action(self) -> Action:
        """What becomes of the message."""
        return self.ruling.action


@dataclass(frozen=True, slots=True)
class NotProcessed:
    """No message exists and none was considered. ``retry_after`` is in seconds, ``None`` where not told."""

    cause: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message may exist."""

    cause: str


SendOutcome = Accepted | Refused | NotProcessed | Unknown


def classify_answer(answer: Answer, account_sid: str) -> SendOutcome:
    """Read an answer to the POST of a message of ``account_sid``. Never raises.

    It is the status line that counts, not what the body says of itself: a body may be a gateway's.
    """
    if 200 <= answer.http_status < 300:
        accepted = _accepted(answer, account_sid)
        return accepted or Unknown(f"HTTP {answer.http_status} without a SID of this account")
    return classify_failure(answer)


def by_code(answer: Answer) -> Ruling:
    """Rule on a refusal by its code or, where that says nothing, by its status."""
    return action_for(answer.code, from_callback=False, http_status=answer.http_status)


def classify_failure(
    answer: Answer, ruling_of: Callable[[Answer], Ruling] = by_code, provider: str = TWILIO
) -> Refused | NotProcessed | Unknown:
    """Read an answer that is no success, to the POST of a message or of an email. Never raises.

    ``ruling_of`` says what follows from a refusal by ``provider``.
    """
    status, code = answer.http_status, answer.code
    is_too_fast = status == 429 and code != DAILY_LIMIT
    if is_too_fast or (400 <= status < 500 and code == _TOO_MANY):
        return NotProcessed(str(answer), answer.retry_after)
    if 400 <= status < 500:
        ruling = ruling_of(answer)
        if ruling.action is not Action.SETTLE:
            return Refused(status, code, ruling, answer.text, provider)
    return Unknown(str(answer))


def classify_exception(exc: Exception) -> NotProcessed | Unknown:
    """Read the failure of a POST that brought no answer, by its class alone. Never raises."""
    cause = type(exc).__name__
    return NotProcessed(cause) if isinstance(exc, NOTHING_SENT) else Unknown(cause)


def is_message_sid(value: object) -> bool:
    """Whether this has the shape of a message's SID."""
    return isinstance(value, str) and _SID.fullmatch(value) is not None


def segment_count(raw: object) -> int | None:
    """Twilio's ``num_segments``, a string; 0 means "no sender chosen yet", so not known."""
    return (int(raw) or None) if isinstance(raw, str) and _COUNT.fullmatch(raw) else None


def _accepted(answer: Answer, account_sid: str) -> Accepted | None:
    payload = answer.payload or {}
    sid = payload.get("sid")
    if not isinstance(sid, str) or not is_message_sid(sid) or payload.get("account_sid") != account_sid:
        return None
    return Accepted(
        sid=sid,
        status=message_status(str(payload.get("status"))),
        segments=segment_count(payload.get("num_segments")),
        request_id=answer.request_id,
    )


def _seconds_between(now: str, then: str) -> float:
    """The seconds between two HTTP dates; not a number where one of them is none."""
    try:
        return (_http_date(then) - _http_date(now)).total_seconds()
    except (ValueError, OverflowError):
        return math.nan


def _http_date(raw: str) -> datetime:
    moment = parsedate_to_datetime(raw)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
