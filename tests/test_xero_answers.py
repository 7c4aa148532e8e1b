"""Each refusal of Xero leads to the one thing that its caller can do about it."""

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from duebell.xero.answers import (
    LONGEST_WAIT,
    Limits,
    Sent,
    limit_word,
    limits_of,
    problem_of,
    retry_after_seconds,
)
from duebell.xero.transfer import Answer, AnsweredTooLate

LIST = Sent("GET /api.xro/2.0/Invoices", 1_900)
LONG_LIST = Sent("GET /api.xro/2.0/Invoices", 2_049)
ONE = Sent("GET /api.xro/2.0/Invoices/11111111-2222-4333-8444-555555555555", 0, one_record=True)
PAGE = b"\xef\xbb\xbf\r\n<!DOCTYPE html><title>The resource you're looking for cannot be found</title>"
SECRET_NAME = b"Ada Lovelace"


def problem(status: int, body: bytes = b"", sent: Sent = LIST, **headers: str) -> DuebellError | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return problem_of(Answer(status, named, body), sent)


EXPIRED = (
    b'{"Type":null,"Title":"Unauthorized","Status":401,"Detail":"TokenExpired: token expired at 09/24/2021"}'
)
NO_SCOPE = b'{"Type":null,"Title":"Unauthorized","Status":401,"Detail":"AuthorizationUnsuccessful"}'
FORBIDDEN = b'{"Title":"Forbidden","Status":403,"Detail":"AuthenticationUnsuccessful"}'


@pytest.mark.parametrize(
    ("status", "body", "sent", "expected"),
    [
        (401, EXPIRED, LIST, TokenExpired),
        (401, NO_SCOPE, LIST, ScopeMissing),
        (401, b"", LIST, TokenExpired),
        (403, FORBIDDEN, LIST, Forbidden),
        (403, b"", LIST, Forbidden),
        (403, PAGE, LIST, BadAnswer),
        (404, PAGE, ONE, RecordNotFound),
        (404, PAGE, LONG_LIST, QueryTooLong),
        (404, PAGE, LIST, BadAnswer),
        (414, b"", LIST, QueryTooLong),
        (400, b'{"ErrorNumber": 16,"Type":"QueryParseException"}', LIST, Rejected),
        (405, b"", LIST, Permanent),
        (408, b"", LIST, Transient),
        (429, PAGE, LIST, RateLimited),
        (500, PAGE, LIST, NotServed),
        (503, b"", LIST, NotServed),
        (504, b"", LIST, AnsweredTooLate),
        (599, b"", LIST, NotServed),
        (200, PAGE, LIST, BadAnswer),
        (204, b"", LIST, BadAnswer),
        (302, b"", LIST, BadAnswer),
        (304, b"", LIST, BadAnswer),
    ],
)
def test_a_refusal_becomes_the_error_that_says_what_to_do(
    status: int, body: bytes, sent: Sent, expected: type[DuebellError]
) -> None:
    assert type(problem(status, body, sent)) is expected


def test_a_scope_that_is_missing_by_header_is_no_expired_token() -> None:
    header = 'Bearer error="insufficient_scope"'
    assert type(problem(401, www_authenticate=header)) is ScopeMissing
    assert type(problem(403, www_authenticate=header)) is ScopeMissing


def test_a_good_answer_is_no_problem() -> None:
    assert problem(200, b'{"Invoices":[]}') is None


@settings(deadline=None)
@given(st.integers(100, 999), st.binary(max_size=50), st.booleans())
def test_every_status_but_200_is_some_error(status: int, body: bytes, one_record: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    found = problem(status, body, Sent("GET /connections", one_record=one_record))
    assert status == 200 or isinstance(found, DuebellError)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
def test_an_error_names_status_path_and_correlation_id_and_nothing_of_the_body(status: int) -> None:
    text = str(
        problem(status, b"<" + SECRET_NAME, ONE, xero_correlation_id="5c83b115-a6e8-4f2a-877f-ba63d009235b")
    )
    assert f"answered {status} to {ONE.path}, correlation id 5c83b115-a6e8-4f2a-877f-ba63d009235b" in text
    assert SECRET_NAME.decode() not in text
    assert "correlation" not in str(problem(status, b"<", ONE, xero_correlation_id="not one\r\n"))


def test_a_bad_request_carries_xeros_error_number() -> None:
    assert str(problem(400, b'{"ErrorNumber":10,"Message":"x"}')).endswith(", error number 10")


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("minute", "minute"),
        ("Minute", "minute"),
        ("minuteLimit", "minute"),
        ("day", "day"),
        ("DAILY", "day"),
        ("concurrent", "concurrent"),
        ("Concurrent requests", "concurrent"),
        ("appminute", "appminute"),
        ("app-minute", "appminute"),
        ("AppMinute", "appminute"),
        ("", ""),
        ("weather", ""),
    ],
)
def test_the_limit_is_known_by_the_start_of_its_word(word: str, ours: str) -> None:
    assert limit_word({"x-rate-limit-problem": word}) == ours


def test_a_limit_without_a_word_is_known_by_what_is_spent() -> None:
    assert limit_word({"x-daylimit-remaining": "0", "x-minlimit-remaining": "0"}) == "day"
    assert limit_word({"x-daylimit-remaining": "9", "x-minlimit-remaining": "0"}) == "minute"


def test_a_reached_limit_carries_its_word_and_its_wait() -> None:
    limited = problem(429, x_rate_limit_problem="day", retry_after="66975")
    assert isinstance(limited, RateLimited)
    assert (limited.problem, limited.retry_after) == ("day", 66_975.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("22", 22.0),
        (" 22 ", 22.0),
        ("1.5", 1.5),
        ("0", 1.0),
        ("1000000000", LONGEST_WAIT),
        ("9" * 5_000, LONGEST_WAIT),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 1.0),
        ("Sun, 22 Nov 2126 09:00:00 GMT", LONGEST_WAIT),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("٣", None),
        ("NaN", None),
        ("Sun, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_sane_seconds_or_unknown(text: str, seconds: float | None) -> None:
    headers = {"retry-after": text, "date": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert retry_after_seconds(headers) == seconds


def test_a_retry_date_without_the_answers_own_date_is_unknown() -> None:
    assert retry_after_seconds({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}) is None
    assert retry_after_seconds({}) is None


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_retry_after_is_between_a_second_and_a_day_or_unknown(text: str, date: str) -> None:
    seconds = retry_after_seconds({"retry-after": text, "date": date})
    assert seconds is None or 1.0 <= seconds <= LONGEST_WAIT


def test_the_remaining_calls_are_read_or_unknown() -> None:
    headers = httpx.Headers({"X-MinLimit-Remaining": "59", "X-DayLimit-Remaining": "4984"})
    assert limits_of(headers) == Limits(59, 4_984)
    assert limits_of({}) == Limits(None, None)
    assert limits_of({"x-minlimit-remaining": "-1", "x-daylimit-remaining": "many"}) == Limits(None, None)
