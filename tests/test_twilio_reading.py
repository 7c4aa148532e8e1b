"""Reading from the Messages API through the real helper: messages, searches, the account, and failures."""

from datetime import UTC, datetime

import httpx
import pytest

from duebell.errors import (
    BadAnswer,
    ConfigurationError,
    DuebellError,
    Permanent,
    RateLimited,
    RecordNotFound,
    Transient,
)
from duebell.twilio.client import MAX_PAGES
from duebell.twilio.statuses import MessageStatus
from tests.test_twilio_wire import (
    ACCOUNT,
    BODY,
    LONG_AGO,
    PHONE,
    SID,
    RecordingTwilio,
    answering,
    failing,
    form,
    message,
)

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
MESSAGE = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json"


def test_a_message_is_read_with_its_own_words_and_times() -> None:
    twilio = answering(200, message(status="undelivered", error_code=30005, num_segments="2"))
    state = twilio.client().fetch(SID)
    assert twilio.requests[0].url.path == MESSAGE
    assert (state.sid, state.status, state.raw_status) == (SID, MessageStatus.UNDELIVERED, "undelivered")
    assert (state.error_code, state.direction) == (30005, "outbound-api")
    assert state.created_at == datetime(2026, 11, 21, 20, 15, 30, tzinfo=UTC)
    assert (state.to, state.body) == (PHONE, BODY)


def test_a_word_that_we_do_not_know_is_kept() -> None:
    state = answering(200, message(status="teleported")).client().fetch(SID)
    assert (state.status, state.raw_status) == (MessageStatus.UNKNOWN, "teleported")


def pages(*pages: list[dict[str, object]]) -> RecordingTwilio:
    """A list of messages in pages, each linked to the next one as Twilio does."""

    def reply(sent: httpx.Request) -> httpx.Response:
        number = int(sent.url.params.get("Page", "0"))
        more = f"{MESSAGES}?Page={number + 1}&PageToken=PT{number + 1}" if number + 1 < len(pages) else None
        return httpx.Response(200, json={"messages": pages[number], "page": number, "next_page_uri": more})

    return RecordingTwilio(reply)


def at(hour: int, **changes: object) -> dict[str, object]:
    return message(sid=f"SM{hour:032x}", date_created=f"Sat, 21 Nov 2026 {hour:02}:00:00 +0000", **changes)


def test_messages_are_searched_by_number_back_to_a_moment_and_no_further() -> None:
    twilio = pages([at(9), at(8)], [at(7), at(6)], [at(5), at(4)], [at(3)])
    found = twilio.client().find(PHONE, datetime(2026, 11, 21, 7, 0, tzinfo=UTC))
    assert [state.sid for state in found] == [at(hour)["sid"] for hour in (9, 8, 7)]
    assert [sent.url.params.get("Page") for sent in twilio.requests] == [None, "1", "2"]
    assert dict(twilio.requests[0].url.params) == {"To": PHONE, "PageSize": "200"}


def test_a_search_does_not_rely_on_the_order_within_a_page() -> None:
    twilio = pages([at(4), at(9)], [at(8)])
    found = twilio.client().find(PHONE, datetime(2026, 11, 21, 7, 0, tzinfo=UTC))
    assert {state.sid for state in found} == {at(9)["sid"], at(8)["sid"]}


def test_a_search_ends_after_so_many_pages() -> None:
    twilio = pages(*[[at(9)] for _ in range(MAX_PAGES + 3)])
    assert len(twilio.client().find(PHONE, LONG_AGO)) == MAX_PAGES
    assert len(twilio.requests) == MAX_PAGES


def test_a_search_never_follows_a_link_to_another_host() -> None:
    body = {"messages": [at(9)], "meta": {"key": "messages", "next_page_url": "https://evil.example/x"}}
    twilio = answering(200, body)
    with pytest.raises(ConfigurationError):
        twilio.client().find(PHONE, LONG_AGO)
    assert {sent.url.host for sent in twilio.requests} == {"api.example"}


def test_the_start_of_a_search_must_name_its_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        pages([]).client().find(PHONE, datetime(2026, 1, 1))  # noqa: DTZ001 - a naive one is the point


def test_an_account_says_whether_it_can_send() -> None:
    twilio = answering(200, {"sid": ACCOUNT, "status": "active", "type": "Trial"})
    account = twilio.client().account()
    assert twilio.requests[0].url.path == f"/2010-04-01/Accounts/{ACCOUNT}.json"
    assert (account.sid, account.active, account.trial) == (ACCOUNT, True, True)
    assert not answering(200, {"status": "suspended", "type": "Full"}).client().account().active


def test_a_scheduled_message_is_cancelled() -> None:
    twilio = answering(200, message(status="canceled"))
    assert twilio.client().cancel(SID).status is MessageStatus.CANCELED
    assert (twilio.posts[0].url.path, form(twilio.posts[0])) == (MESSAGE, {"Status": "canceled"})


def test_a_message_that_left_before_it_was_cancelled_is_shown_as_it_is() -> None:
    twilio = RecordingTwilio(
        lambda sent: (
            httpx.Response(400, json={"code": 30409, "status": 400})
            if sent.method == "POST"
            else httpx.Response(200, json=message(status="sent"))
        )
    )
    assert twilio.client().cancel(SID).status is MessageStatus.SENT
    assert [sent.method for sent in twilio.requests] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("twilio", "error"),
    [
        (answering(401, {"code": 20003}), ConfigurationError),
        (answering(403, {"code": 20008}), ConfigurationError),
        (answering(404, {"code": 20404}), RecordNotFound),
        (answering(429, {"code": 20429}, {"Retry-After": "3"}), RateLimited),
        (answering(400, {"code": 20001}), Permanent),
        (answering(503, "<html>"), Transient),
        (answering(408, ""), Transient),
        (answering(500, {"type": "t", "title": PHONE, "status": 400, "code": 1}), Transient),
        (answering(200, "<html>"), BadAnswer),
        (answering(200, [message()]), BadAnswer),
        (answering(200, message(sid=None)), BadAnswer),
        (answering(200, message(date_created=5)), BadAnswer),
        (answering(200, "[" * 100_000), BadAnswer),
        (answering(302, {}), BadAnswer),
        (failing(httpx.ReadTimeout(PHONE)), Transient),
        (failing(httpx.ConnectError(PHONE)), Transient),
    ],
)
def test_a_failed_reading_is_an_error_of_ours_without_twilios_words(
    twilio: RecordingTwilio, error: type[Exception]
) -> None:
    with pytest.raises((DuebellError, ConfigurationError)) as caught:
        twilio.client().fetch(SID)
    assert type(caught.value) is error
    assert PHONE not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert len(twilio.requests) == 1
    with pytest.raises((DuebellError, ConfigurationError)):
        twilio.client().find(PHONE, LONG_AGO)


def test_how_long_to_wait_comes_with_the_error() -> None:
    with pytest.raises(RateLimited) as caught:
        answering(429, {}, {"Retry-After": "3"}).client().fetch(SID)
    assert caught.value.retry_after == 3.0


@pytest.mark.parametrize("sid", ["", "SM1", f"{SID}/../x", "AC" + "a" * 32, SID + "\n"])
def test_only_a_message_sid_goes_into_a_path(sid: str) -> None:
    twilio = answering(200, message())
    for call in (twilio.client().fetch, twilio.client().cancel):
        with pytest.raises(Permanent):
            call(sid)
    assert twilio.requests == []
