"""What an answer of Xero's accounting interface means: nothing wrong, or which error of ours it is.

The texts name status, Xero's correlation id and what was asked; never the body, which may hold names and
amounts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from duebell.errors import (
    BadAnswer,
    DuebellError,
    Forbidden,
    NotServed,
    Permanent,
    QueryTooLong,
    RateLimited,
    RecordNotFound,
    Rejected,
    ScopeMissing,
    TokenExpired,
    Transient,
)
from duebell.xero.transfer import Answer, AnsweredTooLate

LONGEST_QUERY = 2048
"""Characters. IIS, behind Xero, answers 404 (its 404.15) and not 414 to a longer query string."""

LONGEST_WAIT = 86_400.0
"""Seconds. Xero's longest limit is the day."""

LIMIT_WORDS = (
    # developer.xero.com/documentation/guides/oauth2/limits; spellings differ, hence prefixes.
    ("appmin", "appminute"),
    ("min", "minute"),
    ("da", "day"),
    ("concurrent", "concurrent"),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was asked: the path with our ids, the length of the query string, and whether for one record."""

    path: str
    query_length: int = 0
    one_record: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls that are left to this tenant, in its minute and in its day; ``None`` where Xero did not say."""

    minute_remaining: int | None
    day_remaining: int | None


NOT_TOLD = Limits(None, None)


@dataclass(frozen=True, slots=True)
class CallMade:
    """One request that was made: its path, what its answer told of the limits, and whether it was refused.

    ``at`` is Xero's own time of the answer, ``None`` where it did not say.
    """

    path: str
    limits: Limits = NOT_TOLD
    refused: RateLimited | None = None
    at: datetime | None = None


def call_made(path: str, answer: Answer, sent: Sent) -> CallMade:
    """What an answer means for the count of calls."""
    problem = problem_of(answer, sent)
    refused = problem if isinstance(problem, RateLimited) else None
    return CallMade(path, limits_of(answer.headers), refused, http_date(answer.headers.get("date", "")))


def limits_of(headers: Mapping[str, str]) -> Limits:
    """The remaining calls, read off the headers of an answer (names in lower case)."""
    return Limits(_count(headers.get("x-minlimit-remaining")), _count(headers.get("x-daylimit-remaining")))


def _count(text: str | None) -> int | None:
    found = re.fullmatch(r"\d{1,9}", (text or "").strip(), re.ASCII)
    return int(found[0]) if found else None


def problem_of(answer: Answer, sent: Sent) -> DuebellError | None:
    """The error that this answer is, ``None`` for a 200 that holds no web page."""
    what = f"Xero answered {answer.status} to {sent.path}{_correlation(answer.headers)}"
    if answer.status == 200:
        return BadAnswer(f"{what} with a web page instead of JSON") if _is_page(answer) else None
    if answer.status in EXPLAINED:
        return EXPLAINED[answer.status](answer, sent, what)
    if answer.status == 408:
        return Transient(what)
    if answer.status >= 500:
        return NotServed(what)
    return Permanent(what) if 400 <= answer.status < 500 else BadAnswer(what)


def _rejected(answer: Answer, sent: Sent, what: str) -> DuebellError:
    found = re.search(rb'"ErrorNumber"\s*:\s*(\d{1,6})\b', answer.body)
    number = f", error number {found[1].decode()}" if found else ""
    return Rejected(f"{what}{number}")


def _unauthorised(answer: Answer, sent: Sent, what: str) -> DuebellError:
    # A missing scope is worth no refresh. Every other 401 is: the caller refreshes once, never in a loop.
    if b"authorizationunsuccessful" in answer.body.lower() or _lacks_scope(answer):
        return ScopeMissing(f"{what}: the consent lacks a scope; connect the organisation again")
    return TokenExpired(what)


def _forbidden(answer: Answer, sent: Sent, what: str) -> DuebellError:
    if _lacks_scope(answer):
        return ScopeMissing(f"{what}: the consent lacks a scope; connect the organisation again")
    if _is_page(answer):
        return BadAnswer(
            f"{what} with a web page: a gate before Xero, which says nothing of the organisation"
        )
    return Forbidden(what)


def _lacks_scope(answer: Answer) -> bool:
    return "insufficient_scope" in answer.headers.get("www-authenticate", "").lower()


def _not_found(answer: Answer, sent: Sent, what: str) -> DuebellError:
    # The page is the same for both, only the length of what we sent tells them apart.
    if sent.query_length > LONGEST_QUERY:
        return QueryTooLong(f"{what}: the query string has {sent.query_length} characters")
    return RecordNotFound(what) if sent.one_record else BadAnswer(f"{what}: a list is never missing")


def _query_too_long(answer: Answer, sent: Sent, what: str) -> DuebellError:
    return QueryTooLong(f"{what}: the query string has {sent.query_length} characters")


def _limited(answer: Answer, sent: Sent, what: str) -> DuebellError:
    problem = limit_word(answer.headers)
    named = f", limit {problem}" if problem else ""
    return RateLimited(f"{what}{named}", problem, retry_after_seconds(answer.headers))


def _too_slow(answer: Answer, sent: Sent, what: str) -> DuebellError:
    return AnsweredTooLate(what)


EXPLAINED = {
    400: _rejected,
    401: _unauthorised,
    403: _forbidden,
    404: _not_found,
    414: _query_too_long,
    429: _limited,
    504: _too_slow,
}


def limit_word(headers: Mapping[str, str]) -> str:
    """Which limit a 429 names: ``minute``, ``day``, ``concurrent``, ``appminute``, or ``""`` where unsaid.

    Without the header, a remaining count of zero says it.
    """
    word = re.sub(r"[^a-z]", "", headers.get("x-rate-limit-problem", "").lower())
    named = next((ours for prefix, ours in LIMIT_WORDS if word.startswith(prefix)), "")
    left = limits_of(headers)
    spent = "day" if left.day_remaining == 0 else "minute" if left.minute_remaining == 0 else ""
    return named or spent


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from 1 to a day; ``None`` where Xero named no time that can be read.

    An HTTP date counts from the answer's own ``Date``, so that our clock does not matter.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return _bounded(float(text))
    until, now = http_date(text), http_date(headers.get("date", ""))
    return _bounded((until - now) / timedelta(seconds=1)) if until and now else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), LONGEST_WAIT)


def http_date(text: str) -> datetime | None:
    """The moment of a ``Date`` header, in UTC; ``None`` where it cannot be read."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _is_page(answer: Answer) -> bool:
    return answer.body[:1_024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _correlation(headers: Mapping[str, str]) -> str:
    found = re.fullmatch(r"[0-9A-Fa-f-]{8,64}", headers.get("xero-correlation-id", ""))
    return f", correlation id {found[0]}" if found else ""
